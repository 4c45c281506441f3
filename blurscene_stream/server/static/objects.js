// Objects of a detections file: the boxes of one track, or boxes without a track that overlap from frame to frame.

const SAME_OBJECT_IOU = 0.3;

function area([x0, y0, x1, y1]) {
  return Math.max(0, x1 - x0) * Math.max(0, y1 - y0);
}

export function iou(a, b) {
  const both = area([Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])]);
  return both === 0 ? 0 : both / (area(a) + area(b) - both);
}

// The object of the frame before that an untracked box continues.
function continued(objects, frame, box) {
  let best = null;
  let most = SAME_OBJECT_IOU;
  for (const object of objects) {
    const last = object.boxes.at(-1);
    if (last.frame !== frame - 1 || object.label !== box.label) continue;
    const overlap = iou(last.xyxy, box.xyxy);
    if (overlap > most) [best, most] = [object, overlap];
  }
  return best;
}

// In the order in which they first show: {key, label, score (the highest), boxes: [{frame, index, timeS, xyxy, score}]}
export function objectsOf(file) {
  const objects = new Map();
  const origin = file.frames[0]?.timeS ?? 0;
  let open = []; // untracked objects that the frame before showed
  file.frames.forEach((frame, f) => {
    const next = [];
    frame.boxes.forEach((box, index) => {
      const tracked = Number.isInteger(box.track);
      const known = tracked ? objects.get(`track ${box.track} ${box.label}`) : continued(open, f, box);
      const key = known?.key ?? (tracked ? `track ${box.track} ${box.label}` : `frame ${f} box ${index}`);
      const object = known ?? { key, label: box.label, score: 0, boxes: [] };
      const score = typeof box.score === 'number' ? box.score : 1;
      object.score = Math.max(object.score, score);
      object.boxes.push({ frame: f, index, timeS: frame.timeS - origin, xyxy: box.xyxy, score });
      objects.set(key, object);
      if (!tracked) next.push(object);
    });
    open = next;
  });
  return [...objects.values()];
}

// The box that shows an object best: large and certain.
export function bestBox(object) {
  return object.boxes.reduce((best, box) => (area(box.xyxy) * box.score > area(best.xyxy) * best.score ? box : best));
}

// Runs of frames in which an object shows, as [first, last] frame.
export function runsOf(object) {
  const runs = [];
  for (const { frame } of object.boxes) {
    const last = runs.at(-1);
    if (last && frame <= last[1] + 1) last[1] = frame;
    else runs.push([frame, frame]);
  }
  return runs;
}
