// One WebSocket of a page: door messages with pictures, decisions, and how the site is.
// A message: four bytes length, a header in JSON, and a JPEG or nothing (turnstile/web/live/message.py).

const AGAIN_MS = [200, 400, 700, 1000];
const SILENT_MS = 5000;
const SIGNED_OUT = 4401;
const words = new TextDecoder();
const version = new URL(import.meta.url).pathname.split("/").at(-2);

export class Live {
  // handlers: door(header, jpegBytes or null), decision(line), site(troubles), contact(bool)
  constructor(path, handlers) {
    this.url = new URL(path, location.href.replace(/^http/, "ws"));
    this.handlers = handlers;
    this.tries = 0;
    this.watched = {};
    this.heardAt = 0;
    this.open();
    setInterval(() => this.checkSilence(), 1000);
    addEventListener("online", () => this.again(0));
  }

  open() {
    clearTimeout(this.timer);
    this.timer = 0;
    const socket = (this.socket = new WebSocket(this.url));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.heardAt = performance.now();
      this.say({ watch: this.watched });
    };
    socket.onmessage = (message) => this.take(message.data);
    socket.onclose = (event) => this.lost(socket, event.code);
  }

  take(data) {
    this.heardAt = performance.now();
    if (!this.hears) {
      this.hears = true;
      this.tries = 0;
      this.handlers.contact(true);
    }
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(words.decode(new Uint8Array(data, 4, length)));
    if (header.t === "door") {
      const jpeg = new Uint8Array(data, 4 + length);
      this.handlers.door(header, jpeg.length ? jpeg : null);
    } else if (header.t === "decision") {
      this.handlers.decision?.(header.line);
    } else if (header.t === "site") {
      if (header.version !== version) location.reload();
      this.handlers.site?.(header.troubles);
    }
  }

  lost(socket, code) {
    if (socket !== this.socket) return;
    if (code === SIGNED_OUT) location.reload();
    if (this.hears !== false) this.handlers.contact(false);
    else this.leaveIfSignedOut();
    this.hears = false;
    this.again(AGAIN_MS[Math.min(this.tries++, AGAIN_MS.length - 1)]);
  }

  // A browser does not say why a WebSocket was refused; a page that is refused as well leads to the sign-in.
  async leaveIfSignedOut() {
    const answer = await fetch(location.href, { method: "HEAD" }).catch(() => null);
    if (answer?.status === 401) location.reload();
  }

  again(afterMs) {
    if (this.socket.readyState <= WebSocket.OPEN) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(), afterMs);
  }

  checkSilence() {
    if (this.socket.readyState === WebSocket.OPEN && performance.now() - this.heardAt > SILENT_MS) {
      const silent = this.socket;
      silent.close();
      this.lost(silent, 1006);
    }
  }

  say(wish) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(wish));
  }

  // Which doors' pictures are in view: {name: "all" or "calm"}.
  watch(doors) {
    this.watched = doors;
    this.say({ watch: doors });
  }

  ready(camera) {
    this.say({ ready: [camera] });
  }
}
