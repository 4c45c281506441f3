// Decisions of the person who reviews: which objects are covered or kept, and boxes that were added; with undo.

export class Edits {
  #past = [];
  #future = [];
  #now = { decisions: new Map(), added: [] };
  #nextId = 1;
  #gesture = null;

  get added() {
    return this.#now.added;
  }
  get canUndo() {
    return this.#past.length > 0;
  }
  get canRedo() {
    return this.#future.length > 0;
  }

  // true: covered, false: kept, undefined: left to the settings
  decision(key) {
    return this.#now.decisions.get(key);
  }

  decide(key, covered) {
    this.#become({ ...this.#now, decisions: new Map(this.#now.decisions).set(key, covered) });
  }

  // Return the id of a new box, in pixels, that is there from frame `from` to frame `to` of the file
  add(label, xyxy, [from, to] = [0, 0]) {
    const id = this.#nextId++;
    this.#become({ ...this.#now, added: [...this.#now.added, { id, label, xyxy, from, to }] });
    return id;
  }

  remove(id) {
    this.#become({ ...this.#now, added: this.#now.added.filter((box) => box.id !== id) });
  }

  // Change values of an added box; changes of one `gesture`, such as a drag, are undone at once.
  change(id, values, gesture = null) {
    const added = this.#now.added.map((box) => (box.id === id ? { ...box, ...values } : box));
    this.#become({ ...this.#now, added }, gesture);
  }

  undo() {
    if (!this.canUndo) return;
    this.#future.push(this.#now);
    this.#now = this.#past.pop();
    this.#gesture = null;
  }

  redo() {
    if (!this.canRedo) return;
    this.#past.push(this.#now);
    this.#now = this.#future.pop();
    this.#gesture = null;
  }

  #become(next, gesture = null) {
    if (gesture === null || gesture !== this.#gesture) this.#past.push(this.#now);
    this.#gesture = gesture;
    this.#future = [];
    this.#now = next;
  }
}
