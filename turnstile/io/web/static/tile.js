// A tile: one door's picture on a canvas, what is drawn over it, and its words beside it.
// What stands there is decided by the server, as for the window (turnstile/screen).

const style = getComputedStyle(document.documentElement);
const colour = (name) => style.getPropertyValue(`--${name}`).trim() || "#fff";
const COLOURS = {
  granted: colour("mint"), denied: colour("coral"), local: colour("amber"),
  person: colour("mark"), unknown: colour("mark"),
};
const FONT = '"DejaVu Sans", system-ui, sans-serif';

export class Tile {
  constructor(element, { mirrored = false } = {}) {
    this.element = element;
    this.camera = element.dataset.door;
    this.mirrored = mirrored;
    this.picture = this.slot("picture");
    this.overlay = this.slot("marks");
    this.paper = this.picture.getContext("2d", { alpha: false, desynchronized: true });
    this.shown = "";
  }

  slot(name) {
    return this.element.querySelector(`[data-slot="${name}"]`);
  }

  // Shows a message; resolves when its picture is on the canvas.
  async show(header, jpeg) {
    if (jpeg) {
      try {
        const bitmap = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
        this.paint(bitmap);
        bitmap.close();
      } catch {
        // a picture that cannot be read leaves the one before
      }
    }
    this.write(header);
    this.mark(header);
    this.element.dispatchEvent(new CustomEvent("shown", { detail: { header, jpeg: Boolean(jpeg) } }));
  }

  paint(bitmap) {
    const { picture } = this;
    if (picture.width !== bitmap.width || picture.height !== bitmap.height) {
      picture.width = bitmap.width;
      picture.height = bitmap.height;
    }
    this.paper.drawImage(bitmap, 0, 0);
    this.element.dataset.seen = "yes";
  }

  write(header) {
    this.element.dataset.light = header.light;
    this.put("status", header.status);
    this.put("words", header.words);
    this.put("advice", header.advice);
    this.put("notice", header.notice ? header.notice.title : "");
    this.put("notice-detail", header.notice ? header.notice.detail : "");
    const banner = header.banners.at(-1);
    const key = JSON.stringify(banner ?? null);
    if (key !== this.shown) {
      this.shown = key;
      this.slot("banner").dataset.verdict = banner?.verdict ?? "";
      this.put("title", banner?.title ?? "");
      this.put("who", banner?.who ?? "");
      this.put("detail", banner?.detail ?? "");
    }
  }

  put(name, text) {
    const slot = this.slot(name);
    if (!slot) return;
    if (slot.textContent !== text) slot.textContent = text;
    slot.hidden = !text;
  }

  mark({ marks, size_px: [width, height] }) {
    const { overlay } = this;
    const drawn = JSON.stringify([marks, width, height, overlay.clientWidth, overlay.clientHeight]);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    // In pixels of the screen, so that lines and letters are sharp at any size.
    const scale = Math.min(overlay.clientWidth / width, overlay.clientHeight / height) || 1;
    const dots = Math.min(devicePixelRatio || 1, 2);
    overlay.width = Math.max(1, Math.round(width * scale * dots));
    overlay.height = Math.max(1, Math.round(height * scale * dots));
    const paper = overlay.getContext("2d");
    paper.scale(dots, dots);
    for (const one of marks) this.corners(paper, one, scale, width);
    for (const one of marks) this.label(paper, one, scale, width, height);
  }

  at({ box_px: box }, scale, width) {
    const left = this.mirrored ? width - box.right : box.left;
    return [left * scale, box.top * scale, (box.right - box.left) * scale, (box.bottom - box.top) * scale];
  }

  corners(paper, one, scale, width) {
    const [x, y, wide, high] = this.at(one, scale, width);
    const arm = Math.min(wide, high) / 4;
    paper.strokeStyle = COLOURS[one.kind];
    paper.lineWidth = Math.max(2, this.overlay.clientHeight * 0.006);
    paper.lineJoin = paper.lineCap = "round";
    paper.beginPath();
    for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + wide, y, -1, 1], [x, y + high, 1, -1], [x + wide, y + high, -1, -1]]) {
      paper.moveTo(cx + dx * arm, cy);
      paper.lineTo(cx, cy);
      paper.lineTo(cx, cy + dy * arm);
    }
    paper.stroke();
  }

  label(paper, one, scale, width, height) {
    if (!one.label) return;
    const [x, y, , high] = this.at(one, scale, width);
    const size = Math.max(12, Math.min(40, this.overlay.clientHeight * 0.045));
    const pad = size * 0.4;
    paper.font = `600 ${size}px ${FONT}`;
    const text = one.detail ? `${one.label}  ${one.detail}` : one.label;
    const long = paper.measureText(text).width + 2 * pad;
    const left = Math.max(0, Math.min(x, width * scale - long));
    const room = y > size * 3.2;
    const top = room ? y - size - 3 * pad : Math.min(y + high + pad, height * scale - size - 2 * pad);
    paper.fillStyle = "rgb(18 21 26 / 80%)";
    paper.beginPath();
    paper.roundRect(left, top, long, size + 1.6 * pad, pad);
    paper.fill();
    paper.fillStyle = COLOURS[one.kind];
    paper.textBaseline = "top";
    paper.fillText(text, left + pad, top + pad);
  }

  // Nothing is known any more: the last boxes, names and verdicts go.
  forget(words) {
    this.write({ light: "lost", status: "", words, advice: "", notice: { title: words, detail: "" }, banners: [] });
    this.mark({ marks: [], size_px: [this.picture.width, this.picture.height] });
  }
}
