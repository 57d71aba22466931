// Browsers start no workers on pages that are opened from the disk: the search runs in a frame that is not seen.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      const script = this.inside.document.createElement("script");
      script.src = new URL(url, location.href);
      this.inside.postMessage = data => this.answer(data);
      this.loaded = new Promise(done => { script.onload = done; });
      this.inside.document.body.append(script);
    }

    answer(data) {
      const event = new MessageEvent("message", { data });
      this.dispatchEvent(event);
      this.onmessage?.(event);
    }

    async postMessage(data) {
      await this.loaded;
      const event = new this.inside.MessageEvent("message", { data });
      this.inside.dispatchEvent(event);
      this.inside.onmessage?.(event);
    }

    terminate() {}
  };
}
