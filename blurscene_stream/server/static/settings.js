// The settings form: its defaults are the server's, and every change is told.

import { classTitle, methodTitle, percent } from './words.js';

const ICONS = { mosaic: 'static/method-mosaic.svg', blur: 'static/method-blur.svg', solid: 'static/method-solid.svg' };
const OWN = 'each class its own';

const place = (id) => document.getElementById(id);

function input(type, name, value, checked) {
  const made = document.createElement('input');
  Object.assign(made, { type, name, value, defaultChecked: checked });
  return made;
}

function labelled(className, ...children) {
  const label = document.createElement('label');
  label.className = className;
  label.append(...children);
  return label;
}

function text(content) {
  const made = document.createElement('span');
  made.textContent = content;
  return made;
}

// What a person chose: classes: a Set of names, method, and maskScale and threshold, null where each class has its own.
class Choice {
  constructor(values, limits) {
    Object.assign(this, values);
    this.limits = limits;
  }

  // The score that an object of a class needs
  thresholdOf(label) {
    return this.threshold ?? this.limits.threshold?.defaults[label] ?? 0;
  }

  // Parameters of /render
  get renderQuery() {
    return { redact: this.method, ...(this.maskScale === null ? {} : { mask_scale: String(this.maskScale) }) };
  }

  // Parameters of a detection by this threshold and for these classes
  get detectQuery() {
    return { classes: [...this.classes].join(','), ...(this.threshold === null ? {} : { thresh: String(this.threshold) }) };
  }

  // Text that is equal for two equal detections
  get detectKey() {
    return JSON.stringify(this.detectQuery);
  }
}

export class Settings {
  #limits;
  #form = place('settings-form');
  #scale = place('mask-scale');
  #threshold = place('threshold');

  // changed: called after each change; `now` is what is chosen then
  constructor(limits, changed) {
    this.#limits = limits;
    for (const name of limits.classes) {
      place('class-choices').append(labelled('check', input('checkbox', 'class', name, true), text(classTitle(name, 2))));
    }
    for (const name of limits.methods) place('method-choices').append(this.#method(name));
    this.#setRange(this.#scale, limits.maskScale, 0.05);
    place('threshold-field').hidden = limits.threshold === null;
    if (limits.threshold) this.#setRange(this.#threshold, limits.threshold, 0.01);
    this.#reset();
    this.#form.addEventListener('input', ({ target }) => {
      if (target.type === 'range') target.dataset.chosen = 'yes';
      this.#read();
    });
    this.#form.addEventListener('change', ({ target }) => {
      if (target.name === 'class' && !this.now.classes.size) target.checked = true; // nothing to look for is no choice
      this.#read();
      changed();
    });
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#form.addEventListener('reset', () => setTimeout(() => (this.#reset(), changed()))); // after the browser's part
  }

  #reset() {
    delete this.#scale.dataset.chosen;
    delete this.#threshold.dataset.chosen;
    this.#read();
  }

  #read() {
    const { threshold, maskScale } = this.#limits;
    const chosen = (range) => (range.dataset.chosen ? Number(range.value) : null);
    const classes = [...this.#form.querySelectorAll('[name="class"]:checked')].map(({ value }) => value);
    const method = this.#form.querySelector('[name="method"]:checked').value;
    const values = { maskScale: chosen(this.#scale), threshold: threshold && chosen(this.#threshold) };
    this.now = new Choice({ classes: new Set(classes), method, ...values }, this.#limits);
    const scale = values.maskScale ?? maskScale.shared;
    this.#tell(this.#scale, scale === null ? OWN : `× ${scale.toFixed(2)}`);
    const score = values.threshold ?? threshold?.shared ?? null;
    this.#tell(this.#threshold, score === null ? OWN : percent(score));
  }

  #tell(range, words) {
    place(`${range.id}-value`).textContent = words;
    range.setAttribute('aria-valuetext', words.replace('×', 'times'));
  }

  #setRange(range, { min, max, defaults }, step) {
    const value = Math.min(...Object.values(defaults));
    Object.assign(range, { min, max, step, defaultValue: value });
    range.value = value;
  }

  #method(name) {
    const shown = text('');
    if (ICONS[name]) {
      const icon = document.createElement('img');
      Object.assign(icon, { src: ICONS[name], alt: '' });
      shown.append(icon);
    }
    shown.append(methodTitle(name));
    return labelled('method', input('radio', 'method', name, name === this.#limits.method), shown);
  }
}
