// The stage: what is shown of the chosen file, as its phase and the view want it.

import { compare } from './compare.js';
import { turnedSize } from './geometry.js';
import { Player } from './player.js';
import { Review } from './review.js';
import { Zoom } from './zoom.js';

const place = (id) => document.getElementById(id);

function picture(url, alt) {
  const made = document.createElement('img');
  Object.assign(made, { src: url, alt, draggable: false });
  return made;
}

function video(url, label) {
  const made = document.createElement('video');
  made.src = url;
  made.setAttribute('aria-label', label);
  return made;
}

// Tell when the browser cannot show what an element is of; of a video it may play the audio alone.
function watch(element, unplayable) {
  element.addEventListener('error', unplayable);
  element.addEventListener('loadedmetadata', () => element.videoWidth || unplayable());
}

export class Stage {
  #shown = ''; // what is on the canvas, as text
  #zoom = new Zoom();
  #times = new Map(); // by item: where its video was left, in seconds
  review = null;
  player = null;

  // hooks: those of Review, onTime(seconds), and unplayable(item): its result cannot be shown
  constructor(hooks) {
    this.hooks = hooks;
  }

  // view: compare or review
  show(item, view, fresh) {
    const failed = item.phase === 'failed' || item.phase === 'stopped';
    const reviews = view === 'review' && item.detections !== null;
    const works = item.phase === 'working' || (item.phase === 'waiting' && !item.result);
    place('error-card').hidden = !failed;
    place('error-text').textContent = item.phase === 'stopped' ? 'You stopped it, and the server has deleted the video.' : `${item.name}: ${item.error}`;
    place('error-card').querySelector('.card-title').textContent = item.phase === 'stopped' ? 'Stopped' : 'This did not work';
    const busy = works && !failed && (!item.result || item.kind === 'video');
    place('progress-card').hidden = !busy;
    if (busy) this.#showProgress(item);
    const covered = busy && item.kind === 'video';
    this.#draw(item, failed || covered ? 'nothing' : reviews ? 'review' : 'compare');
    place('canvas').classList.toggle('stale', !fresh);
    this.review?.refresh();
  }

  #showProgress(item) {
    const { text, share, detail } = item.progress ?? { text: 'Waiting for its turn', share: null, detail: '' };
    place('progress-text').textContent = text;
    place('progress-detail').textContent = detail;
    if (share === null) place('progress').removeAttribute('value');
    else place('progress').value = share;
    place('cancel').hidden = item.kind !== 'video';
  }

  #draw(item, what) {
    const key = [item.id, what, item.showable, what === 'review' && item.showable ? item.objectsVersion : item.result?.url].join(' ');
    if (key === this.#shown) return;
    this.#shown = key;
    if (this.player) this.#times.set(this.playedId, this.player.leader.currentTime);
    this.player?.pause();
    this.player?.element.remove();
    this.review = this.player = null;
    const made = { nothing: () => null, review: () => this.#review(item), compare: () => this.#compare(item) }[what]();
    place('canvas').hidden = place('zoom').hidden = made === null;
    place('canvas').replaceChildren(...(made ? [made.element] : []));
    if (!made) return;
    this.#zoom.show(...made.size);
    if (!this.player) return;
    place('stage').after(this.player.element);
    this.player.seek(this.#times.get(item.id) ?? 0);
    this.playedId = item.id;
  }

  #sized(item, element, then) {
    // The canvas gets its size from the first picture that knows its own.
    const known = item.detections && turnedSize(item.detections.width, item.detections.height, item.rotation);
    const size = known ?? [element.naturalWidth || element.videoWidth || 16, element.naturalHeight || element.videoHeight || 9];
    if (!known) element.addEventListener('load', () => this.#zoom.show(element.naturalWidth, element.naturalHeight), { once: true });
    return { element: then, size };
  }

  #compare(item) {
    const isVideo = item.kind === 'video';
    if (!item.result) {
      if (isVideo || !item.showable) return null;
      const before = picture(item.url, `${item.name}, before`);
      return this.#sized(item, before, before);
    }
    const make = isVideo ? video : picture;
    const after = make(item.result.url, `${item.name}, after`);
    watch(after, () => this.hooks.unplayable(item));
    const before = item.showable ? make(item.url, `${item.name}, before`) : null;
    if (isVideo) this.#play(item, after, before);
    return this.#sized(item, after, compare(before, after));
  }

  #review(item) {
    const isVideo = item.kind === 'video';
    if (!item.showable && !item.result) return null;
    const backdrop = (isVideo ? video : picture)(item.showable ? item.url : item.result.url, item.name);
    if (!item.showable) watch(backdrop, () => this.hooks.unplayable(item));
    if (isVideo) this.#play(item, backdrop, null);
    this.review = new Review(item, backdrop, this.hooks);
    return this.#sized(item, backdrop, this.review.element);
  }

  #play(item, leader, follower) {
    const { detections } = item;
    this.player = new Player(leader, follower, detections.frameS, (seconds) => {
      this.review?.setFrame(detections.frameAt(seconds));
      this.hooks.onTime(Math.min(1, seconds / detections.lengthS));
    });
  }
}
