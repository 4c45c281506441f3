// Small pictures of objects, cut by the browser from the person's own file; none comes from the server. Of a file that
// the browser cannot show they are cut from the result: covered, with enough around to tell one from another.

import { bestBox } from './objects.js';
import { turned, turnedSize } from './geometry.js';

const SIDE_PX = 96;
const CONTEXT = 1.35; // times the longer side of a box
const CONTEXT_OF_RESULT = 3.5;
const LONGEST_SEEK_MS = 4000;

// Draw what is around a box; width, height: of the picture that the box is in, as shown; context: see above
function drawCrop(canvas, source, [x0, y0, x1, y1], width, height, context) {
  const shownWidth = source.videoWidth || source.naturalWidth;
  const shownHeight = source.videoHeight || source.naturalHeight;
  const side = Math.max(x1 - x0, y1 - y0, 8) * context;
  const [left, top] = [(x0 + x1 - side) / 2, (y0 + y1 - side) / 2];
  const [sx, sy] = [shownWidth / width, shownHeight / height];
  Object.assign(canvas, { width: SIDE_PX, height: SIDE_PX });
  canvas.getContext('2d').drawImage(source, left * sx, top * sy, side * sx, side * sy, 0, 0, SIDE_PX, SIDE_PX);
  canvas.dataset.drawn = 'yes';
}

function happened(element, event) {
  return new Promise((resolve) => {
    element.addEventListener(event, resolve, { once: true });
    setTimeout(resolve, LONGEST_SEEK_MS);
  });
}

export class Thumbnails {
  #item;
  #source = null; // promise of an img or video that nobody else uses
  #url = null; // of the result, where the file itself cannot be shown
  #drawn = new Map(); // by key of the object
  #turn = Promise.resolve(); // a video can be at one time only

  constructor(item) {
    this.#item = item;
  }

  // Return a canvas that shows an object as soon as it can; an empty one where the browser cannot show the file.
  of(object) {
    const known = this.#drawn.get(object.key);
    if (known) return known;
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: SIDE_PX, height: SIDE_PX });
    this.#drawn.set(object.key, canvas);
    if (this.#item.showable || this.#item.result) this.#turn = this.#turn.then(() => this.#draw(canvas, object)).catch(() => undefined);
    return canvas;
  }

  dispose() {
    if (this.#url) URL.revokeObjectURL(this.#url);
  }

  async #draw(canvas, object) {
    const { detections, rotation, kind, showable } = this.#item;
    const best = bestBox(object);
    this.#source ??= this.#open();
    const source = await this.#source;
    if (kind === 'video') {
      source.currentTime = best.timeS + 0.001; // at, not just before, the frame
      await happened(source, 'seeked');
    }
    const [width, height] = turnedSize(detections.width, detections.height, rotation);
    const box = turned(best.xyxy, detections.width, detections.height, rotation);
    drawCrop(canvas, source, box, width, height, showable ? CONTEXT : CONTEXT_OF_RESULT);
  }

  async #open() {
    const { kind, showable, result } = this.#item;
    if (!showable) this.#url = URL.createObjectURL(result.blob); // one of its own: the next result replaces that of this one
    const url = showable ? this.#item.url : this.#url;
    const source = document.createElement(kind === 'image' ? 'img' : 'video');
    if (kind === 'image') {
      source.src = url;
      await source.decode();
    } else {
      Object.assign(source, { muted: true, preload: 'auto', src: url });
      await happened(source, 'loadeddata');
    }
    return source;
  }
}
