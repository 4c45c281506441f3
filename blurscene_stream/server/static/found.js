// The list of what was found and added: for a picture in the panel, for a video as a timeline below it.

import { runsOf } from './objects.js';
import { classTitle, clock, percent } from './words.js';

function make(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  if (tag === 'button') made.type = 'button';
  made.textContent = text;
  return made;
}

function nameOf(row) {
  return `${row.querySelector('b').textContent}, ${row.querySelector('small').textContent}`;
}

export class FoundList {
  #rows = new Map(); // by key

  // place: an element to fill; hooks: {settings(), showFaint(), changed(), go(key, seconds or null), hint(key, on), remove(id), frame()}
  constructor(place, item, thumbnails, hooks) {
    Object.assign(this, { place, item, thumbnails, hooks, video: item.kind === 'video' });
    place.replaceChildren();
    this.empty = make('p', 'fine');
    place.append(this.empty);
    this.refresh();
  }

  refresh() {
    const { item, hooks } = this;
    const settings = hooks.settings();
    const rows = new Map();
    for (const box of item.edits.added) rows.set(`added ${box.id}`, this.#added(box));
    for (const object of item.objects) {
      const covered = item.isCovered(object, settings);
      if (!covered && item.edits.decision(object.key) === undefined && !hooks.showFaint()) continue;
      rows.set(object.key, this.#found(object, covered));
    }
    for (const [key, row] of this.#rows) if (!rows.has(key)) row.remove();
    [...rows.values()].forEach((row, index) => {
      if (this.place.children[index] !== row) this.place.insertBefore(row, this.place.children[index] ?? null);
    });
    this.#rows = rows;
    this.empty.hidden = rows.size > 0;
    const where = this.video ? 'go to the frame' : 'look at the picture';
    this.empty.textContent = `Nothing was found. If a face or a licence plate shows, ${where} and add a box.`;
  }

  // Move the line of the present in a timeline.
  setTime(share) {
    this.place.style.setProperty('--now', share.toFixed(5));
  }

  #found(object, covered) {
    const known = this.#rows.get(object.key);
    const row = known ?? this.#row(object.key, object.label, this.thumbnails.of(object), object.boxes[0].timeS);
    if (!known) {
      const times = `${clock(object.boxes[0].timeS)} – ${clock(object.boxes.at(-1).timeS)}`;
      row.querySelector('small').textContent = this.video ? `${percent(object.score)} · ${times}` : `${percent(object.score)} certain`;
      row.querySelector('.switch').addEventListener('click', () => {
        this.item.edits.decide(object.key, !this.item.isCovered(object, this.hooks.settings()));
        this.hooks.changed();
      });
      if (this.video) this.#addRuns(row, runsOf(object));
    }
    row.classList.toggle('kept', !covered);
    const toggle = row.querySelector('.switch');
    toggle.setAttribute('aria-pressed', String(covered));
    toggle.textContent = covered ? 'Covered' : 'Visible';
    toggle.setAttribute('aria-label', `Covered: ${nameOf(row)}`); // the same in both states, which is said besides
    return row;
  }

  #added(box) {
    const key = `added ${box.id}`;
    const { detections } = this.item;
    const start = detections.timeOf(box.from);
    let row = this.#rows.get(key);
    if (!row) {
      row = this.#row(key, box.label, make('span', 'added-mark', '+'), start);
      if (this.video) this.#addEnds(row, box.id);
      const toggle = row.querySelector('.switch');
      toggle.className = 'quiet';
      toggle.textContent = 'Remove';
      toggle.addEventListener('click', () => this.hooks.remove(box.id));
    }
    row.querySelector('b').textContent = classTitle(box.label);
    const times = `${clock(start)} – ${clock(detections.timeOf(box.to))}`;
    row.querySelector('small').textContent = this.video ? `added · ${times}` : 'added by you';
    row.querySelector('.object > .quiet').setAttribute('aria-label', `Remove: ${nameOf(row)}`);
    if (this.video) this.#addRuns(row, [[box.from, box.to]]);
    return row;
  }

  #row(key, label, picture, seconds) {
    const row = make('div', 'object');
    const thumb = make('button', 'object-thumb');
    thumb.setAttribute('aria-label', this.video ? `Go to ${classTitle(label)} at ${clock(seconds)}` : `Go to ${classTitle(label)}`);
    thumb.append(picture);
    thumb.addEventListener('click', () => this.hooks.go(key, this.video ? this.#startOf(key) : null));
    const name = make('span', 'object-name');
    name.append(make('b', '', classTitle(label)), make('small', ''));
    row.append(thumb, name, ...(this.video ? [this.#bar(key, label)] : []), make('button', 'switch'));
    row.addEventListener('pointerenter', () => this.hooks.hint(key, true));
    row.addEventListener('pointerleave', () => this.hooks.hint(key, false));
    return row;
  }

  #startOf(key) {
    const object = this.item.objects.find((each) => each.key === key);
    if (object) return object.boxes[0].timeS;
    return this.item.detections.timeOf(this.item.edits.added.find(({ id }) => key === `added ${id}`).from);
  }

  #bar(key, label) {
    const bar = make('button', 'object-bar');
    bar.setAttribute('aria-label', `${classTitle(label)}: go to its next appearance`);
    bar.append(make('b', ''));
    bar.addEventListener('click', (event) => {
      const { left, width } = bar.getBoundingClientRect();
      const pointed = event.detail > 0; // not by the keyboard
      this.hooks.go(key, pointed ? ((event.clientX - left) / width) * this.item.detections.lengthS : this.#startOf(key));
    });
    return bar;
  }

  #addRuns(row, runs) {
    const bar = row.querySelector('.object-bar');
    bar.querySelectorAll('i').forEach((mark) => mark.remove());
    const { detections } = this.item;
    for (const [first, last] of runs) {
      const mark = document.createElement('i');
      const [from, to] = [detections.timeOf(first), detections.timeOf(last) + detections.frameS].map((time) => (time / detections.lengthS) * 100);
      mark.style.setProperty('left', `${from}%`);
      mark.style.setProperty('width', `${to - from}%`);
      bar.prepend(mark);
    }
  }

  // An added box stands still; these say for how long.
  #addEnds(row, id) {
    const ends = make('span', 'object-ends');
    for (const [name, text] of [['from', 'From here'], ['to', 'To here']]) {
      const button = make('button', 'quiet', text);
      button.addEventListener('click', () => {
        const frame = this.hooks.frame();
        const box = this.item.edits.added.find((each) => each.id === id);
        const other = name === 'from' ? { to: Math.max(frame, box.to) } : { from: Math.min(frame, box.from) };
        this.item.edits.change(id, { [name]: frame, ...other });
        this.hooks.changed();
      });
      ends.append(button);
    }
    row.querySelector('.object-name').append(ends);
  }
}
