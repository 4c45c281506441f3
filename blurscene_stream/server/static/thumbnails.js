// Small pictures of objects, cut by the browser from the person's own file; none comes from the server.

import { bestBox } from './objects.js';
import { turned, turnedSize } from './geometry.js';

const SIDE_PX = 96;
const CONTEXT = 1.35; // times the longer side of a box
const LONGEST_SEEK_MS = 4000;

// Draw what is around a box; width, height: of the picture that the box is in, as shown
function drawCrop(canvas, source, [x0, y0, x1, y1], width, height) {
  const shownWidth = source.videoWidth || source.naturalWidth;
  const shownHeight = source.videoHeight || source.naturalHeight;
  const side = Math.max(x1 - x0, y1 - y0, 8) * CONTEXT;
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
    if (this.#item.showable) this.#turn = this.#turn.then(() => this.#draw(canvas, object)).catch(() => undefined);
    return canvas;
  }

  async #draw(canvas, object) {
    const { detections, rotation, kind } = this.#item;
    const best = bestBox(object);
    this.#source ??= this.#open();
    const source = await this.#source;
    if (kind === 'video') {
      source.currentTime = best.timeS + 0.001; // at, not just before, the frame
      await happened(source, 'seeked');
    }
    const [width, height] = turnedSize(detections.width, detections.height, rotation);
    drawCrop(canvas, source, turned(best.xyxy, detections.width, detections.height, rotation), width, height);
  }

  async #open() {
    const { kind, url } = this.#item;
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
