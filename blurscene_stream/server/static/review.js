// Review: boxes over the picture. A click keeps or covers what was found; a drag, or the keys, add what was missed.

import { clamped, moved, ordered, turned, turnedSize } from './geometry.js';
import { classTitle, percent } from './words.js';

const DRAG_PX = 5; // a shorter way is a click
const KEY_PX = 6; // of the screen, a press
const ROOMY_PX = 56; // boxes from this width on show their name
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const CORNERS = { nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] }; // the coordinates that each moves

export class Review {
  #elements = new Map(); // by key: buttons
  #drawing = false;
  #drag = null;
  #gestures = 0;

  // backdrop: img or video, of the size that the stage gives; hooks: {settings(), showFaint(), label(), changed(), selected(id),
  // say(text), drawingEnded(), range(): the [from, to] frames of a box that is added}
  constructor(item, backdrop, hooks) {
    Object.assign(this, { item, hooks, frame: 0, selected: null });
    const { width, height } = item.detections;
    this.size = turnedSize(width, height, item.rotation);
    this.surface = document.createElement('div');
    this.surface.className = 'review-surface';
    this.element = document.createElement('div');
    this.element.className = 'review';
    this.element.append(backdrop, this.surface);
    this.surface.addEventListener('pointerdown', (event) => this.#down(event));
    this.surface.addEventListener('pointermove', (event) => this.#moved(event));
    for (const name of ['pointerup', 'pointercancel']) this.surface.addEventListener(name, (event) => this.#up(event));
    this.surface.addEventListener('click', (event) => this.#click(event), true);
    this.surface.addEventListener('keydown', (event) => this.#key(event));
    this.surface.addEventListener('focusin', ({ target }) => this.#select(Number(target.dataset.added) || null));
    new ResizeObserver(() => this.refresh()).observe(this.surface);
    this.refresh();
  }

  // Show another frame of a video, by its place in the file.
  setFrame(frame) {
    if (frame === this.frame) return;
    this.frame = frame;
    this.refresh();
  }

  // Show what is decided now.
  refresh() {
    const wanted = new Map();
    for (const object of this.item.objects) this.#wantFound(object, wanted);
    for (const box of this.item.edits.added) {
      if (box.from <= this.frame && this.frame <= box.to) wanted.set(`added ${box.id}`, this.#added(box));
    }
    for (const [key, element] of this.#elements) {
      if (wanted.has(key)) continue;
      element.remove();
      this.#elements.delete(key);
    }
    const areas = [...wanted.values()].map(({ element, area }) => ({ element, area })).sort((a, b) => b.area - a.area);
    areas.forEach(({ element }, index) => element.style.setProperty('z-index', String(index + 1))); // small ones stay within reach
    for (const [key, { element }] of wanted) {
      if (element.isConnected && this.#elements.get(key) === element) continue;
      this.#elements.set(key, element);
      this.surface.append(element);
    }
    if (this.selected !== null && !this.item.edits.added.some(({ id }) => id === this.selected)) this.#select(null);
  }

  // The next drag draws, by touch too.
  setDrawing(drawing) {
    this.#drawing = drawing;
    this.surface.classList.toggle('drawing', drawing);
  }

  // Add a box in the middle of what shows of the picture, for those who have no pointer.
  place() {
    const shown = this.surface.getBoundingClientRect();
    const stage = document.getElementById('stage').getBoundingClientRect();
    const [width, height] = this.size;
    const scale = shown.width / width;
    const x = Math.max(0, Math.min(width, ((stage.left + stage.right) / 2 - shown.left) / scale));
    const y = Math.max(0, Math.min(height, ((stage.top + stage.bottom) / 2 - shown.top) / scale));
    const half = Math.min(48 / scale, width / 4, height / 4);
    this.#add([x - half, y - half, x + half, y + half]);
  }

  // Move the focus to a box, by the key of its object or the id of an added one.
  focus(key) {
    this.#elements.get(key)?.focus();
    this.#elements.get(key)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  hint(key, on) {
    this.#elements.get(key)?.classList.toggle('hinted', on);
  }

  #shown(xyxy) {
    return turned(xyxy, this.item.detections.width, this.item.detections.height, this.item.rotation);
  }

  #stored(xyxy) {
    const box = clamped(ordered(xyxy), ...this.size).map(Math.round);
    return turned(box, ...this.size, (360 - this.item.rotation) % 360);
  }

  #wantFound(object, wanted) {
    const { item, hooks } = this;
    const box = object.boxes.find(({ frame }) => frame === this.frame);
    if (!box) return;
    const covered = item.isCovered(object, hooks.settings());
    const decided = item.edits.decision(object.key) !== undefined;
    if (!covered && !decided && !hooks.showFaint()) return;
    const element = this.#elements.get(object.key) ?? this.#button(object.label);
    element.dataset.key = object.key;
    element.classList.toggle('kept', !covered);
    element.classList.toggle('faint', !covered && !decided);
    element.setAttribute('aria-pressed', String(covered));
    element.setAttribute('aria-label', `${classTitle(object.label)}, ${percent(object.score)} certain, covered`);
    element.firstChild.textContent = `${classTitle(object.label)}${covered ? '' : ', visible'}`;
    wanted.set(object.key, { element, area: this.#lay(element, this.#shown(box.xyxy)) });
  }

  #added({ id, label, xyxy }) {
    let element = this.#elements.get(`added ${id}`);
    if (!element) {
      element = this.#button(label);
      element.classList.add('added');
      element.dataset.added = id;
      element.setAttribute('aria-describedby', 'box-help');
    }
    const chosen = this.selected === id;
    if (chosen !== Boolean(element.querySelector('.grip'))) {
      if (chosen) element.append(...Object.keys(CORNERS).map((corner) => this.#grip(corner)));
      else element.querySelectorAll('.grip').forEach((grip) => grip.remove());
    }
    element.setAttribute('aria-label', `${classTitle(label)}, added by you`);
    element.firstChild.textContent = classTitle(label);
    return { element, area: this.#lay(element, this.#shown(xyxy)) };
  }

  #button() {
    const element = document.createElement('button');
    Object.assign(element, { type: 'button', className: 'box' });
    const name = document.createElement('span');
    name.className = 'box-name';
    name.setAttribute('aria-hidden', 'true');
    element.append(name);
    return element;
  }

  #grip(corner) {
    const made = document.createElement('i');
    made.className = `grip ${corner}`;
    made.dataset.corner = corner;
    return made;
  }

  // Put an element where a box is; return the area of the box.
  #lay(element, xyxy) {
    const [width, height] = this.size;
    const [x0, y0, x1, y1] = clamped(xyxy, width, height);
    const values = { '--x': x0 / width, '--y': y0 / height, '--w': (x1 - x0) / width, '--h': (y1 - y0) / height };
    for (const [name, value] of Object.entries(values)) element.style.setProperty(name, value.toFixed(6));
    const scale = this.surface.clientWidth / width;
    element.classList.toggle('roomy', (x1 - x0) * scale >= ROOMY_PX);
    element.classList.toggle('low', y0 * scale < 20);
    return (x1 - x0) * (y1 - y0);
  }

  #select(id) {
    if (this.selected === id) return;
    this.selected = id;
    this.hooks.selected(id);
    this.refresh();
  }

  #point({ clientX, clientY }) {
    const { left, top, width, height } = this.surface.getBoundingClientRect();
    return [((clientX - left) / width) * this.size[0], ((clientY - top) / height) * this.size[1]];
  }

  #down(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    const id = Number(event.target.closest('.added')?.dataset.added) || null;
    if (id === null && event.pointerType === 'touch' && !this.#drawing) return;
    const start = this.#point(event);
    const corner = event.target.dataset.corner;
    const xyxy = id === null ? null : this.#shown(this.item.edits.added.find((box) => box.id === id).xyxy);
    this.#drag = { id, corner, xyxy, start, client: [event.clientX, event.clientY], far: false, gesture: `drag ${this.#gestures++}` };
    if (id !== null) {
      event.preventDefault(); // no selection of text, no image drag
      this.#elements.get(`added ${id}`).focus();
      this.surface.setPointerCapture(event.pointerId);
    }
  }

  #moved(event) {
    const drag = this.#drag;
    if (!drag) return;
    const [dx, dy] = [event.clientX - drag.client[0], event.clientY - drag.client[1]];
    if (!drag.far && Math.hypot(dx, dy) < DRAG_PX) return;
    if (!drag.far) this.surface.setPointerCapture(event.pointerId);
    drag.far = true;
    const [x, y] = this.#point(event);
    if (drag.id === null) return this.#stretch(drag, [...drag.start, x, y]);
    let next;
    if (drag.corner) {
      next = [...drag.xyxy];
      const [cx, cy] = CORNERS[drag.corner];
      [next[cx], next[cy]] = [x, y];
    } else {
      next = moved(drag.xyxy, x - drag.start[0], y - drag.start[1], ...this.size);
    }
    this.item.edits.change(drag.id, { xyxy: this.#stored(next) }, drag.gesture);
    this.hooks.changed();
  }

  #stretch(drag, xyxy) {
    if (!drag.rubber) {
      drag.rubber = document.createElement('div');
      drag.rubber.className = 'box rubber';
      this.surface.append(drag.rubber);
    }
    drag.box = ordered(xyxy);
    this.#lay(drag.rubber, drag.box);
  }

  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    drag?.rubber?.remove();
    if (!drag?.far) return;
    this.#suppressed = true;
    setTimeout(() => (this.#suppressed = false));
    if (drag.box && event.type === 'pointerup') this.#add(drag.box);
  }

  #suppressed = false; // whether the click that ends a drag is still to come

  #click(event) {
    if (this.#suppressed) return event.stopPropagation();
    const key = event.target.closest('.box')?.dataset.key;
    if (key === undefined) return;
    const object = this.item.objects.find((each) => each.key === key);
    this.#decide(key, !this.item.isCovered(object, this.hooks.settings()));
  }

  #decide(key, covered) {
    this.item.edits.decide(key, covered);
    this.hooks.changed();
  }

  #add(xyxy) {
    const label = this.hooks.label();
    const stored = this.#stored(xyxy);
    if (stored[2] - stored[0] < 2 || stored[3] - stored[1] < 2) return;
    const id = this.item.edits.add(label, stored, this.hooks.range());
    this.hooks.drawingEnded();
    this.hooks.changed();
    this.focus(`added ${id}`);
    this.hooks.say(`${classTitle(label)} added. Arrow keys move the box, Shift and arrow keys size it, Delete removes it.`);
  }

  #key(event) {
    const { added, key } = event.target.dataset;
    const id = Number(added) || null;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Delete' || event.key === 'Backspace') {
      event.preventDefault();
      return id === null ? this.#decide(key, false) : this.hooks.remove(id);
    }
    if (id === null) return;
    const way = ARROWS[event.key];
    if (!way) return;
    event.preventDefault();
    const step = Math.max(1, Math.round((KEY_PX * this.size[0]) / this.surface.clientWidth));
    const [dx, dy] = way.map((part) => part * step);
    const { xyxy } = this.item.edits.added.find((box) => box.id === id);
    const [x0, y0, x1, y1] = this.#shown(xyxy);
    const sized = [x0, y0, Math.max(x0 + 2, x1 + dx), Math.max(y0 + 2, y1 + dy)];
    const next = event.shiftKey ? sized : moved([x0, y0, x1, y1], dx, dy, ...this.size);
    this.item.edits.change(id, { xyxy: this.#stored(next) }, `keys ${id} ${event.shiftKey}`);
    this.hooks.changed();
  }
}
