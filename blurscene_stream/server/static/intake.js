// Files on their way in: dropped, chosen or pasted, and refused here when the server would refuse them.

import { bytes, duration, formatTitle } from './words.js';

const IMAGE_FORMATS = {
  jpeg: { types: ['image/jpeg', 'image/jpg', 'image/pjpeg'], endings: ['jpg', 'jpeg', 'jpe', 'jfif'] },
  png: { types: ['image/png', 'image/apng'], endings: ['png', 'apng'] },
  webp: { types: ['image/webp'], endings: ['webp'] },
  bmp: { types: ['image/bmp', 'image/x-ms-bmp'], endings: ['bmp', 'dib'] },
  tiff: { types: ['image/tiff'], endings: ['tif', 'tiff'] },
};
const VIDEO_ENDINGS = ['mp4', 'm4v', 'mov', 'mkv', 'webm', 'avi', 'ts', 'mts', 'm2ts', 'mpg', 'mpeg', '3gp'];

const STILL_PX = 112;

const ending = (name) => name.split('.').pop().toLowerCase();

function imageFormat({ type, name }) {
  const found = Object.entries(IMAGE_FORMATS).find(([, { types, endings }]) => types.includes(type) || (!type && endings.includes(ending(name))));
  return found?.[0] ?? (type.startsWith('image/') ? ending(name) : null);
}

function listed(names) {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

export function limitsText(limits) {
  const images = `Pictures: ${listed(limits.image.formats.map(formatTitle))}, up to ${bytes(limits.image.maxBytes)}.`;
  if (!limits.video) return images;
  return `${images} Videos: up to ${bytes(limits.video.maxBytes)} and ${duration(limits.video.maxSeconds)}.`;
}

// {kind: image or video} or {problem: one sentence}
export function judge(file, limits) {
  const format = imageFormat(file);
  if (format !== null) {
    if (!limits.image.formats.includes(format)) {
      return { problem: `is no picture that this server takes: ${listed(limits.image.formats.map(formatTitle))}` };
    }
    return sized(file, 'image', limits.image.maxBytes);
  }
  if (file.type.startsWith('video/') || VIDEO_ENDINGS.includes(ending(file.name))) {
    return limits.video ? sized(file, 'video', limits.video.maxBytes) : { problem: 'is a video, and this server takes pictures only' };
  }
  return { problem: `is neither a picture (${listed(limits.image.formats.map(formatTitle))}) nor a video` };
}

function sized(file, kind, most) {
  if (file.size === 0) return { problem: 'is empty' };
  if (file.size > most) return { problem: `has ${bytes(file.size)}, and this server takes up to ${bytes(most)}` };
  return { kind };
}

// What the browser can tell of a picture or video before it is sent: whether it can show it, and whether it is too large.
export async function measure(item, limits) {
  const element = document.createElement(item.kind === 'image' ? 'img' : 'video');
  const loaded = new Promise((resolve) => {
    element.onload = element.onloadeddata = () => resolve(true);
    element.onerror = () => resolve(false);
  });
  Object.assign(element, { preload: 'auto', muted: true, src: item.url });
  const late = new Promise((resolve) => setTimeout(resolve, 8000, false));
  item.showable = (await Promise.race([loaded, late])) && (element.naturalWidth || element.videoWidth) > 0;
  if (!item.showable) return '';
  if (item.kind === 'image') {
    const pixels = element.naturalWidth * element.naturalHeight;
    const most = limits.image.maxPixels;
    return pixels > most ? `has ${Math.round(pixels / 1e6)} megapixels, and this server takes up to ${Math.round(most / 1e6)}` : '';
  }
  item.still = small(element);
  const most = limits.video.maxSeconds;
  if (!(element.duration > most + 0.5 && element.duration < Infinity)) return '';
  return `takes ${duration(element.duration)}, and this server takes up to ${duration(most)}`;
}

// The frame that a video shows, as the address of a small picture
function small(video) {
  const canvas = Object.assign(document.createElement('canvas'), { width: STILL_PX, height: (STILL_PX * video.videoHeight) / video.videoWidth });
  canvas.getContext('2d').drawImage(video, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL();
}

// Wire the ways in; onFiles: called with an array of File
export function setUpIntake(onFiles) {
  const chooser = document.getElementById('file-input');
  const veil = document.getElementById('drop-veil');
  for (const id of ['choose', 'add-files']) document.getElementById(id).addEventListener('click', () => chooser.click());
  chooser.addEventListener('change', () => {
    onFiles([...chooser.files]);
    chooser.value = '';
  });
  document.addEventListener('paste', ({ clipboardData, target }) => {
    if (target.closest?.('input[type="password"]') || !clipboardData?.files.length) return;
    onFiles([...clipboardData.files]);
  });
  let inside = 0;
  const hasFiles = ({ dataTransfer }) => dataTransfer?.types.includes('Files');
  const show = (change) => {
    inside = Math.max(0, inside + change);
    veil.hidden = inside === 0;
  };
  document.addEventListener('dragenter', (event) => hasFiles(event) && (event.preventDefault(), show(1)));
  document.addEventListener('dragleave', (event) => hasFiles(event) && show(-1));
  document.addEventListener('dragover', (event) => hasFiles(event) && event.preventDefault());
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    show(-inside);
    onFiles([...event.dataTransfer.files]);
  });
}

// What a file chooser offers first
export function accepted(limits) {
  const types = limits.image.formats.flatMap((format) => IMAGE_FORMATS[format]?.types.slice(0, 1) ?? []);
  const endings = limits.image.formats.includes('tiff') ? ['.tif', '.tiff'] : [];
  return [...types, ...endings, ...(limits.video ? ['video/*', '.mkv', '.mts', '.ts'] : [])].join(',');
}
