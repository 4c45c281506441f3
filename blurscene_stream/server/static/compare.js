// Before and after in one place: the result lies over the original and is cut where the slider is.

const START = 50;

function caption(text, side) {
  const made = document.createElement('span');
  made.className = `side-name of-${side}`;
  made.textContent = text;
  return made;
}

// before, after: elements of the same size, before may be null; returns one element that fills its parent
export function compare(before, after) {
  const place = document.createElement('div');
  place.className = 'compare';
  after.classList.add('after');
  if (before === null) {
    place.classList.add('single');
    place.append(after, caption('After', 'after'));
    return place;
  }
  const slider = document.createElement('input');
  Object.assign(slider, { type: 'range', min: 0, max: 100, step: 0.1, value: START });
  slider.setAttribute('aria-label', 'Boundary between before, on the left, and after, on the right');
  const divider = document.createElement('div');
  divider.className = 'divider';
  const names = [caption('Before', 'before'), caption('After', 'after')];
  const move = () => {
    const split = Number(slider.value);
    place.style.setProperty('--split', `${split}%`);
    slider.setAttribute('aria-valuetext', `${Math.round(split)} % before`);
    names[0].hidden = split < 12;
    names[1].hidden = split > 88;
  };
  slider.addEventListener('input', move);
  slider.addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // a step of its own: the browser's is a tenth of a percent
    slider.value = Number(slider.value) + step * (event.shiftKey ? 10 : 2);
    move();
  });
  place.append(before, after, slider, divider, ...names);
  move();
  return place;
}
