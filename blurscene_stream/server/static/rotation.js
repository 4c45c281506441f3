// The turn that an MP4 or MOV asks of its player, which a detections file's boxes are without.
// Boxes of the format: ISO/IEC 14496-12, 4.2 (sizes), 8.3.2 (tkhd and its matrix), 8.4.3 (hdlr).

const MOST_BOXES = 2000;

async function* boxes(file, from, to) {
  for (let at = from, count = 0; at + 8 <= to && count < MOST_BOXES; count += 1) {
    const head = new DataView(await file.slice(at, at + 16).arrayBuffer());
    if (head.byteLength < 8) return;
    const name = String.fromCharCode(head.getUint8(4), head.getUint8(5), head.getUint8(6), head.getUint8(7));
    const short = head.getUint32(0);
    const large = short === 1 && head.byteLength === 16;
    const size = large ? Number(head.getBigUint64(8)) : short === 0 ? to - at : short;
    const headSize = large ? 16 : 8;
    if (size < headSize) return;
    yield { name, from: at + headSize, to: Math.min(to, at + size) };
    at += size;
  }
}

async function find(file, name, from, to) {
  for await (const box of boxes(file, from, to)) if (box.name === name) return box;
  return null;
}

async function trackRotation(file, track) {
  const media = await find(file, 'mdia', track.from, track.to);
  const handler = media && (await find(file, 'hdlr', media.from, media.to));
  if (!handler || (await file.slice(handler.from + 8, handler.from + 12).text()) !== 'vide') return null;
  const head = await find(file, 'tkhd', track.from, track.to);
  if (!head) return 0;
  const data = new DataView(await file.slice(head.from, head.to).arrayBuffer());
  const matrix = data.getUint8(0) === 1 ? 52 : 40; // behind the dates, which version 1 has in 64 bits
  const [a, b] = [data.getInt32(matrix), data.getInt32(matrix + 4)];
  return (Math.round(Math.atan2(b, a) / (Math.PI / 2)) * 90 + 360) % 360;
}

// Degrees clockwise: 0, 90, 180 or 270; 0 for other containers
export async function rotationOf(file) {
  try {
    const movie = await find(file, 'moov', 0, file.size);
    if (!movie) return 0;
    for await (const box of boxes(file, movie.from, movie.to)) {
      const degrees = box.name === 'trak' ? await trackRotation(file, box) : null;
      if (degrees !== null) return degrees;
    }
  } catch {
    // cut short or no such file: the server will say so
  }
  return 0;
}
