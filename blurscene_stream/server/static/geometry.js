// Boxes [x0, y0, x1, y1] between the picture as stored, which detections files speak of, and as shown.

// A box in a picture of `width` x `height`, after a turn clockwise by 0, 90, 180 or 270 degrees
export function turned([x0, y0, x1, y1], width, height, degrees) {
  if (degrees === 90) return [height - y1, x0, height - y0, x1];
  if (degrees === 180) return [width - x1, height - y1, width - x0, height - y0];
  if (degrees === 270) return [y0, width - x1, y1, width - x0];
  return [x0, y0, x1, y1];
}

// [width, height] after such a turn
export function turnedSize(width, height, degrees) {
  return degrees % 180 === 0 ? [width, height] : [height, width];
}

export function clamped([x0, y0, x1, y1], width, height) {
  const within = (value, most) => Math.max(0, Math.min(most, value));
  return [within(x0, width), within(y0, height), within(x1, width), within(y1, height)];
}

// A box moved by (dx, dy), but not out of the picture
export function moved([x0, y0, x1, y1], dx, dy, width, height) {
  const x = Math.max(-x0, Math.min(width - x1, dx));
  const y = Math.max(-y0, Math.min(height - y1, dy));
  return [x0 + x, y0 + y, x1 + x, y1 + y];
}

// Corners in order, from any two
export function ordered([x0, y0, x1, y1]) {
  return [Math.min(x0, x1), Math.min(y0, y1), Math.max(x0, x1), Math.max(y0, y1)];
}
