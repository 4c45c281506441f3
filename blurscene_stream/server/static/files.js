// The list of files, shown when there are several, and the downloads.

import { countsText, percent } from './words.js';

const TITLE = document.title;
const PAUSE_MS = 400; // between two downloads: browsers drop those that come at once

export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function saveResult(item) {
  save(item.result.blob, item.resultName());
  item.savedKey = item.result.key;
}

// The title of the page, for those who look at another one while a video runs
export function pageTitle(items, settings) {
  const share = items.find(({ kind, progress }) => kind === 'video' && progress?.share)?.progress.share;
  if (share) return `${percent(share)} | ${TITLE}`;
  const isReady = items.length && items.every((item) => item.phase === 'done' && item.isFresh(settings));
  return isReady ? `Ready | ${TITLE}` : TITLE;
}

export function stateText(item, settings) {
  if (item.phase === 'failed') return 'Failed';
  if (item.phase === 'stopped') return 'Stopped';
  if (item.progress) return item.progress.share === null ? item.progress.text : `${item.progress.text}, ${percent(item.progress.share)}`;
  if (!item.result) return 'Waiting';
  if (!item.isFresh(settings)) return item.kind === 'video' ? 'Not rendered again yet' : 'Waiting';
  return `${countsText(item.counts(settings))} covered`;
}

export class Files {
  #list = document.getElementById('file-list');
  #nav = document.getElementById('files');
  #all = document.getElementById('download-all');
  #rows = new Map();

  // choose: called with the item that is clicked
  constructor(items, settings, choose) {
    Object.assign(this, { items, settings, choose });
    this.#all.addEventListener('click', () => this.#downloadAll());
  }

  refresh(current) {
    this.#nav.hidden = this.items.length < 2;
    for (const [item, row] of this.#rows) {
      if (this.items.includes(item)) continue;
      row.remove();
      this.#rows.delete(item);
    }
    for (const item of this.items) this.#show(item, this.#rows.get(item) ?? this.#add(item), item === current);
    this.#all.disabled = !this.items.some((item) => item.isFresh(this.settings.now));
  }

  #show(item, row, isCurrent) {
    const button = row.firstChild;
    if (isCurrent) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    const state = button.lastChild;
    state.textContent = stateText(item, this.settings.now);
    state.classList.toggle('bad', item.phase === 'failed');
    const thumb = button.firstChild;
    if (item.showable && !thumb.src) thumb.src = item.still ?? item.url;
  }

  #add(item) {
    const row = document.createElement('li');
    const button = document.createElement('button');
    Object.assign(button, { type: 'button', className: 'file' });
    const thumb = document.createElement('img');
    Object.assign(thumb, { alt: '', className: 'file-thumb', decoding: 'async' });
    const title = document.createElement('span');
    Object.assign(title, { className: 'file-title', textContent: item.name, title: item.name });
    const state = document.createElement('span');
    state.className = 'file-state';
    button.append(thumb, title, state);
    button.addEventListener('click', () => this.choose(item));
    row.append(button);
    this.#rows.set(item, row);
    this.#list.append(row);
    return row;
  }

  async #downloadAll() {
    this.#all.disabled = true;
    for (const item of [...this.items]) {
      if (!item.isFresh(this.settings.now)) continue;
      saveResult(item);
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    this.#all.disabled = false;
  }
}
