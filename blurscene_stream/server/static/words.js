// Plain words for classes, counts, sizes and times.

const CLASSES = { face: ['face', 'faces'], license_plate: ['licence plate', 'licence plates'] };
const METHODS = { mosaic: 'Mosaic', blur: 'Blur', solid: 'Solid' };
const FORMATS = { jpeg: 'JPEG', png: 'PNG', webp: 'WebP', bmp: 'BMP', tiff: 'TIFF' };

function upper(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function className(label, count = 1) {
  const [one, many] = CLASSES[label] ?? [label.replaceAll('_', ' '), `${label.replaceAll('_', ' ')}s`];
  return count === 1 ? one : many;
}

export const classTitle = (label, count = 1) => upper(className(label, count));
export const methodTitle = (method) => METHODS[method] ?? upper(method);
export const formatTitle = (format) => FORMATS[format] ?? format.toUpperCase();
export const percent = (share) => `${Math.round(share * 100)} %`;

export function plural(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

// "2 faces and 1 licence plate"; counts: a Map from label to number
export function countsText(counts) {
  const parts = [...counts].filter(([, count]) => count > 0).map(([label, count]) => `${count} ${className(label, count)}`);
  if (!parts.length) return 'Nothing';
  return parts.length === 1 ? parts[0] : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}

// What to say of a file that this browser cannot show; '' of others
export function noteOn({ kind, name, showable, result }, view) {
  const what = kind === 'video' ? 'play' : 'show';
  if (result && !result.playable) return `This browser cannot ${what} the result. Download it, and look at it with another program before you publish it.`;
  if (showable !== false) return '';
  if (!result) return `This browser cannot ${what} ${name} itself. It is covered all the same, and you will see the result.`;
  return `This browser cannot ${what} ${name} itself, so ${view === 'review' ? 'the boxes lie over the result' : 'there is no “before” here'}.`;
}

export function bytes(count) {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  let power = 0;
  let value = count;
  while (value >= 1000 && power < units.length - 1) [value, power] = [value / 1000, power + 1];
  return `${power === 0 || value >= 99.5 ? Math.round(value) : Number(value.toFixed(1))} ${units[power]}`;
}

export function duration(seconds) {
  if (seconds < 90) return plural(Math.round(seconds), 'second');
  const minutes = seconds / 60;
  return minutes < 59.5 ? plural(Math.round(minutes), 'minute') : plural(Math.round(minutes / 60), 'hour');
}

// 75.3 -> "1:15.3"
export function clock(seconds) {
  const tenths = Math.max(0, Math.floor(seconds * 10 + 1e-6));
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, '0')}.${tenths % 10}`;
}
