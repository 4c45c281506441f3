// The size of the picture on the stage: as large as fits, or a multiple of that, scrolled.

const STEPS = [1, 1.5, 2, 3, 4, 6, 8, 12];
const MOST_ENLARGED = 3; // times its own pixels, when it fits

export class Zoom {
  #stage = document.getElementById('stage');
  #canvas = document.getElementById('canvas');
  #buttons = ['zoom-out', 'zoom-fit', 'zoom-in'].map((id) => document.getElementById(id));
  #step = 0;
  #size = null; // [width, height] of the picture

  constructor() {
    new ResizeObserver(() => this.#apply()).observe(this.#stage);
    [-1, -STEPS.length, 1].forEach((change, index) => this.#buttons[index].addEventListener('click', () => this.#by(change)));
    this.#stage.addEventListener('keydown', (event) => {
      const change = { '+': 1, '=': 1, '-': -1, 0: -STEPS.length }[event.key];
      if (change === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#by(change);
    });
  }

  // Show a picture of `width` x `height` pixels; another size starts again with what fits.
  show(width, height) {
    if (this.#size?.[0] !== width || this.#size?.[1] !== height) this.#step = 0;
    this.#size = [width, height];
    this.#stage.style.setProperty('--aspect', (width / height).toFixed(4));
    this.#apply();
  }

  #by(change) {
    const stage = this.#stage;
    const middle = [
      (stage.scrollLeft + stage.clientWidth / 2) / Math.max(1, stage.scrollWidth),
      (stage.scrollTop + stage.clientHeight / 2) / Math.max(1, stage.scrollHeight),
    ];
    this.#step = Math.min(STEPS.length - 1, Math.max(0, this.#step + change));
    this.#apply();
    stage.scrollTo({
      left: middle[0] * stage.scrollWidth - stage.clientWidth / 2,
      top: middle[1] * stage.scrollHeight - stage.clientHeight / 2,
      behavior: 'instant',
    });
  }

  #apply() {
    if (!this.#size) return;
    const [width, height] = this.#size;
    const box = this.#stage.getBoundingClientRect(); // without scroll bars, which come and go with the zoom
    const fit = Math.min(box.width / width, box.height / height, MOST_ENLARGED);
    const scale = fit * STEPS[this.#step];
    this.#canvas.style.setProperty('--shown-width', `${Math.floor(width * scale)}px`);
    this.#canvas.style.setProperty('--shown-height', `${Math.floor(height * scale)}px`);
    this.#stage.style.setProperty('overflow', this.#step === 0 ? 'hidden' : 'auto');
    this.#buttons[0].disabled = this.#buttons[1].disabled = this.#step === 0;
    this.#buttons[2].disabled = this.#step === STEPS.length - 1;
  }
}
