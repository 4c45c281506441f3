// Detections files (docs/detections.md): read, and written again with boxes left out or added.
// All text that is not such a box stays as it was, byte by byte: numbers, order, and keys that this page does not know.

const FORMAT = 'blurscene-stream detections';
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]/g;

export class DetectionsError extends Error {}

// Spans of the list under the key `boxes` of a JSON object, and of each of its elements; `text` is valid JSON.
function boxSpans(text) {
  let depth = 0;
  let name = null; // of the value that follows, at depth 1
  let spans = null;
  let start = 0;
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    if (token[0] === '"') {
      if (depth === 1 && !spans?.open) name = token;
    } else if (token === '{' || token === '[') {
      depth += 1;
      if (token === '[' && depth === 2 && name !== null && JSON.parse(name) === 'boxes') {
        spans = { open: true, from: index, elements: [] };
        start = index + 1;
      }
    } else if (token === '}' || token === ']') {
      depth -= 1;
      if (spans?.open && depth === 1) {
        if (text.slice(start, index).trim()) spans.elements.push([start, index]);
        spans.open = false;
        spans.to = index + 1;
      }
    } else if (token === ',' && spans?.open && depth === 2) {
      spans.elements.push([start, index]);
      start = index + 1;
    } else if (token === ',' && depth === 1) {
      name = null;
    }
  }
  return spans;
}

function objectOf(line, number) {
  let value;
  try {
    value = JSON.parse(line);
  } catch {
    throw new DetectionsError(`line ${number} is no JSON; the file may be cut short`);
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new DetectionsError(`line ${number} is no JSON object`);
  }
  return value;
}

function isBox(box) {
  return (
    box !== null && typeof box === 'object' && typeof box.label === 'string' &&
    Array.isArray(box.xyxy) && box.xyxy.length === 4 && box.xyxy.every(Number.isFinite)
  );
}

function parseFrame(text, number, tickS) {
  const content = objectOf(text, number);
  if (!Array.isArray(content.boxes)) return { text, boxes: [], spans: null }; // such as the line of an early end
  content.boxes.forEach((box, index) => {
    if (!isBox(box)) throw new DetectionsError(`line ${number} box ${index + 1} has no label or no four numbers in xyxy`);
  });
  return { text, boxes: content.boxes, spans: boxSpans(text), timeS: Number(content.time_s ?? content.pts * tickS) };
}

export class DetectionsFile {
  // width, height: pixels of the picture in which the boxes are; classes: names that a box may have
  // frames: one for each line behind the first, with `boxes` and, where the line has it, `timeS`
  constructor(text) {
    const lines = text.split('\n');
    this.headerText = lines[0];
    const header = objectOf(lines[0] ?? '', 1);
    if (header.format !== FORMAT) throw new DetectionsError('this is no detections file: its first line does not say so');
    if (header.format_version !== 1) throw new DetectionsError(`format_version ${header.format_version} is not known here, only 1`);
    if (!(header.width > 0 && header.height > 0) || !Array.isArray(header.classes)) {
      throw new DetectionsError('line 1 lacks width, height or classes');
    }
    this.width = header.width;
    this.height = header.height;
    this.classes = header.classes;
    const [ticks, ofSeconds = 1] = String(header.time_base).split('/').map(Number);
    this.frames = [];
    lines.slice(1).forEach((line, index) => {
      if (line.trim()) this.frames.push(parseFrame(line, index + 2, ticks / ofSeconds));
    });
  }

  // The frame that shows `seconds` after the first one.
  frameAt(seconds) {
    const time = (this.frames[0]?.timeS ?? 0) + seconds + 0.002;
    let [low, high] = [0, Math.max(0, this.frames.length - 1)];
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (!(this.frames[middle].timeS > time)) low = middle; // the line of an early end has no time
      else high = middle - 1;
    }
    return low;
  }

  timeOf(frame) {
    return (this.frames[frame]?.timeS ?? 0) - (this.frames[0]?.timeS ?? 0);
  }

  // Seconds from one frame to the next, on average
  get frameS() {
    const last = this.frames.length - 1;
    return this.timeOf(last) / Math.max(1, last) || 0.04;
  }

  // Seconds from the first frame to the end of the last one
  get lengthS() {
    return this.timeOf(this.frames.length - 1) + this.frameS;
  }

  // The file with those boxes for which `isCovered(frame number in the list, box number)`, and those of `added(frame)`.
  write(isCovered, added = () => []) {
    const lines = this.frames.map((frame, f) => {
      if (!frame.spans) return frame.text;
      const kept = frame.spans.elements.filter((_, b) => isCovered(f, b)).map(([from, to]) => frame.text.slice(from, to).trim());
      const boxes = [...kept, ...added(f).map(({ label, xyxy }) => JSON.stringify({ label, xyxy }))];
      if (boxes.length === frame.spans.elements.length && kept.length === boxes.length) return frame.text;
      return `${frame.text.slice(0, frame.spans.from)}[${boxes.join(', ')}]${frame.text.slice(frame.spans.to)}`;
    });
    return `${[this.headerText, ...lines].join('\n')}\n`;
  }
}
