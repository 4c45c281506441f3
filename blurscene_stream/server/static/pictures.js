// Pictures, one after the other: detected once, and rendered again whenever the result is not what the settings say.

import * as api from './api.js';

const SETTLE_MS = 250; // a drag over a slider is one change

export class Pictures {
  #timer = 0;
  #running = null; // {item, key}

  // items: the list of all files; current: returns the one that is shown; changed: called with an item that did
  constructor({ items, current, settings, limits, changed }) {
    Object.assign(this, { items, current, settings, limits, changed });
  }

  // Look again at what there is to do; stops what nobody wants any more.
  wake(delayMs = SETTLE_MS) {
    clearTimeout(this.#timer);
    const { item, key } = this.#running ?? {};
    const unwanted = item && (!this.items.includes(item) || (key !== null && key !== item.renderKey(this.settings.now)));
    if (unwanted) item.abort?.abort();
    this.#timer = setTimeout(() => this.#work(), delayMs);
  }

  #next() {
    const waits = (item) => item.kind === 'image' && ['waiting', 'done'].includes(item.phase) && !item.isFresh(this.settings.now);
    const shown = this.current();
    return shown && waits(shown) ? shown : this.items.find(waits);
  }

  async #work() {
    if (this.#running) return;
    const item = this.#next();
    if (!item) return;
    this.#running = { item, key: item.renderKey(this.settings.now) };
    item.abort = new AbortController();
    item.phase = 'working';
    try {
      if (!item.detections) await this.#detect(item);
      await this.#render(item);
      item.phase = 'done';
    } catch (error) {
      this.#failed(item, error);
    }
    item.progress = null;
    item.abort = null;
    this.#running = null;
    this.changed(item);
    this.wake(0);
  }

  #failed(item, error) {
    if (error.name !== 'AbortError' && !(item.isLoadPending && error.status === 400)) {
      item.phase = 'failed';
      item.error = error.message;
      return;
    }
    if (error.status === 400) item.undoLoad(error.message);
    item.phase = item.isFresh(this.settings.now) ? 'done' : 'waiting'; // what is wanted may be what is there
  }

  async #detect(item) {
    this.#report(item, 'Looking for faces and licence plates');
    const { threshold, classes } = this.limits;
    const query = { classes: classes.join(',') };
    if (threshold) query.thresh = String(threshold.min); // what is less certain is shown too, and covered when asked for
    item.take(await api.detect(item.file, query, this.#options(item)), threshold === null);
    this.changed(item);
  }

  async #render(item) {
    const key = item.renderKey(this.settings.now);
    this.#running = { item, key };
    this.#report(item, 'Covering');
    const text = item.detectionsText(this.settings.now);
    item.setResult(await api.render(item.file, text, this.settings.now.renderQuery, this.#options(item)), key);
    item.acceptLoad();
  }

  #report(item, text, share = null, detail = '') {
    item.progress = { text, share, detail };
    this.changed(item);
  }

  #options(item) {
    const { text } = item.progress;
    return {
      signal: item.abort.signal,
      onSent: (sent, total) => this.#report(item, sent < total ? 'Sending' : text, sent < total ? sent / total : null),
      onBusy: (seconds) => this.#report(item, 'The server is busy', null, `Trying again in ${seconds} s`),
    };
  }
}
