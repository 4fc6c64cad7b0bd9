// The panel's page. It speaks the control protocol of docs/pages/panel.md and keeps no state of its own but
// what is being dragged: every control shows what the server last said.

const token = new URLSearchParams(location.search).get("token") ?? "";
const byId = (id) => document.getElementById(id);
const signed = (path, more = {}) => `${path}?${new URLSearchParams({ token, ...more })}`;

/** Groups of sliders, by FACS numbers (eye contact is 0); what is in none goes to the last. */
const GROUPS = [
  ["Brows", [1, 2, 4]],
  ["Eyes", [5, 6, 7, 45]],
  ["Gaze", [0, 61, 63]],
  ["Mouth", [9, 10, 12, 13, 14, 15, 16, 17, 18, 20, 22, 23, 24, 25, 28, 34]],
  ["Jaw", [26, 29, 30]],
];
const RECONNECT_MS = [300, 600, 1200, 2500, 5000];
const KEYS = { b: "bypass", m: "mirror" };

class Link {
  /** A WebSocket that comes back. told: by "is", the functions that take messages. */
  constructor(told, changed) {
    this.told = told;
    this.changed = changed;
    this.waiting = new Map();
    this.next = 1;
    this.failures = 0;
    this.open();
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}${signed("/v1/socket")}`);
    this.socket.onopen = () => {
      this.failures = 0;
      this.changed(true);
      this.send({ do: "subscribe", to: "state" });
      this.send({ do: "subscribe", to: "status", rate: 2 });
      this.send({ do: "subscribe", to: "aus", rate: 10 });
    };
    this.socket.onmessage = (event) => this.take(JSON.parse(event.data));
    this.socket.onclose = () => {
      this.waiting.clear();
      this.changed(false);
      const pause = RECONNECT_MS[Math.min(this.failures++, RECONNECT_MS.length - 1)];
      setTimeout(() => this.open(), pause);
    };
  }

  /** Sends a command; resolves to its answer. */
  send(command) {
    if (this.socket.readyState !== WebSocket.OPEN) return Promise.resolve({ is: "error", message: "not connected" });
    const id = this.next++;
    this.socket.send(JSON.stringify({ ...command, id }));
    return new Promise((resolve) => this.waiting.set(id, resolve));
  }

  take(message) {
    if (message.is === "done" || message.is === "error") {
      this.waiting.get(message.id)?.(message);
      this.waiting.delete(message.id);
    } else {
      this.told[message.is]?.(message);
    }
  }
}

class Slider {
  /** One action unit, or one side of it. */
  constructor(unit, side, changed) {
    this.name = unit.code + side;
    this.opposite = unit.opposite && unit.opposite + side;
    this.both = unit.code;
    const id = `au-${this.name}`;
    this.element = document.createElement("div");
    this.element.className = "slider";
    const label = document.createElement("label");
    label.htmlFor = id;
    label.textContent = `${unit.number ? `${unit.code}${side} ` : ""}${unit.name}`;
    this.input = Object.assign(document.createElement("input"), {
      type: "range", id, min: unit.lowest, max: unit.highest, step: 0.05, value: 0,
    });
    this.input.title = "Double click: leave this alone";
    this.output = document.createElement("output");
    this.output.htmlFor = id;
    this.shown = document.createElement("div");
    this.shown.className = "shown";
    this.bar = this.shown.appendChild(document.createElement("i"));
    this.element.append(label, this.input, this.output, this.shown);
    this.lowest = unit.lowest;
    this.highest = unit.highest;
    this.dragging = false;
    this.input.oninput = () => {
      this.dragging = true;
      const value = Number(this.input.value);
      this.show(value > 0 ? `+${value}` : `${value}`, true);
      changed(this.name, value || null);
    };
    this.input.onchange = () => { this.dragging = false; };
    this.input.ondblclick = () => changed(this.name, null);
    this.show(undefined);
  }

  /** Shows what is asked, in the notation of the targets; undefined: nothing. */
  show(text, own = false) {
    if (this.dragging && !own) return;
    const value = text === undefined ? 0 : Number(text.replaceAll("..", ""));
    if (!own) this.input.value = value;
    // The track is filled from 0 on, to either side.
    const place = (number) => `${(100 * (number - this.lowest)) / (this.highest - this.lowest)}%`;
    this.input.style.setProperty("--from", place(Math.min(value, 0)));
    this.input.style.setProperty("--to", place(Math.max(value, 0)));
    this.output.value = text === undefined ? "" : text.replace(/(\.\d\d)\d+/, "$1");
    this.element.classList.toggle("asked", text !== undefined);
    this.input.setAttribute("aria-valuetext", text === undefined ? "left alone" : text);
  }

  /** The value among those that are asked, by name: its own, or that of both sides, or of its opposite. */
  of(aus) {
    const text = aus[this.name] ?? aus[this.both];
    const opposite = aus[this.opposite];
    return text ?? (opposite && (opposite.startsWith("+") ? `-${opposite.slice(1)}` : `-${opposite}`));
  }

  /** Shows what the face does, on the slider's own scale. */
  measured(value) {
    const span = this.highest - this.lowest;
    const low = Math.max(this.lowest, Math.min(value, 0)), high = Math.min(this.highest, Math.max(value, 0));
    this.bar.style.marginLeft = `${(100 * (low - this.lowest)) / span}%`;
    this.bar.style.width = `${(100 * (high - low)) / span}%`;
  }
}

class Panel {
  constructor(vocabulary) {
    this.vocabulary = vocabulary;
    this.sliders = new Map();
    this.pending = null;
    this.sides = false;
    this.compare = false;
    this.buildCameras();
    this.buildPresets();
    this.buildSliders();
    this.bindButtons();
    this.link = new Link(
      { state: (m) => this.showState(m), status: (m) => this.showStatus(m), aus: (m) => this.showFaces(m) },
      (connected) => this.showConnection(connected),
    );
  }

  buildCameras() {
    for (const { camera, name } of this.vocabulary.cameras) byId("camera").append(new Option(`${camera}: ${name}`, camera));
  }

  buildPresets() {
    for (const { name, summary } of this.vocabulary.presets) {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", title: summary });
      const picture = Object.assign(document.createElement("img"), {
        src: `/static/presets/${name}.jpg`, alt: "", width: 48, height: 48, loading: "lazy",
      });
      const label = document.createElement("span");
      label.textContent = name;
      button.append(picture, label);
      button.dataset.preset = name;
      button.setAttribute("aria-pressed", "false");
      button.onclick = () => this.send({ do: "set", targets: name });
      byId("presets").append(button);
    }
  }

  buildSliders() {
    const place = byId("sliders");
    place.replaceChildren();
    this.sliders.clear();
    const left = new Map(this.vocabulary.aus.map((unit) => [unit.number, unit]));
    const take = (number) => { const unit = left.get(number); left.delete(number); return unit; };
    const groups = GROUPS.map(([title, numbers]) => [title, numbers.map(take).filter(Boolean)]);
    if (left.size) groups.push(["More", [...left.values()]]);
    for (const [title, units] of groups) {
      if (!units.length) continue;
      const group = place.appendChild(document.createElement("fieldset"));
      group.appendChild(document.createElement("legend")).textContent = title;
      for (const unit of units) {
        for (const side of this.sides && unit.sided ? ["L", "R"] : [""]) {
          const slider = new Slider(unit, side, (name, value) => this.setUnit(name, value));
          this.sliders.set(slider.name, slider);
          group.append(slider.element);
        }
      }
    }
    if (this.state) this.showUnits(this.state.aus);
  }

  bindButtons() {
    for (const button of document.querySelectorAll("[data-switch]")) {
      button.onclick = () => this.toggle(button.dataset.switch);
    }
    for (const button of document.querySelectorAll("[data-act]")) {
      button.onclick = () => this.send({ do: "act", action: button.dataset.act });
    }
    byId("begin").onclick = () => {
      const camera = byId("camera").value;
      const size = byId("size").value ? byId("size").value.split(",").map(Number) : null;
      this.send({ do: "act", action: "start", ...(camera && { camera }), ...(size && { size }) });
    };
    const strength = byId("strength");
    strength.oninput = () => this.queue({ strength: Number(strength.value) });
    byId("clear").onclick = () => this.send({ do: "set", targets: "none" });
    byId("sides").onclick = () => {
      this.sides = !this.sides;
      byId("sides").setAttribute("aria-pressed", this.sides);
      this.buildSliders();
    };
    byId("compare").onclick = () => {
      this.compare = !this.compare;
      byId("compare").setAttribute("aria-pressed", this.compare);
      byId("divider").hidden = !this.compare;
      this.showPicture(true);
    };
    byId("split").onchange = () => this.showPicture(true);
    byId("snapshot").href = signed("/v1/snapshot.png");
    byId("hand").href = signed("/v1/hand.json");
    byId("theme").onclick = () => {
      const dark = byId("theme").getAttribute("aria-pressed") !== "true";
      document.documentElement.dataset.theme = dark ? "dark" : "light";
      byId("theme").setAttribute("aria-pressed", dark);
    };
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    byId("theme").setAttribute("aria-pressed", dark);
    addEventListener("keydown", (event) => this.key(event));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
    if (event.key in KEYS) this.toggle(KEYS[event.key]);
    else if (event.key === "n") this.send({ do: "act", action: "neutral" });
    else if (event.key === "r") this.send({ do: "act", action: "record" });
    else if (event.key === "c") byId("compare").click();
    else if (event.key === "0") byId("clear").click();
    else return;
    event.preventDefault();
  }

  toggle(name) {
    this.send({ do: "set", [name]: !this.state?.[name] });
  }

  setUnit(name, value) {
    this.queue({ aus: { [name]: value } });
  }

  /** Sends settings, but only the newest while an answer is awaited, so that a drag never queues up. */
  queue(settings) {
    const aus = { ...this.pending?.aus, ...settings.aus };
    this.pending = { ...this.pending, ...settings, ...(Object.keys(aus).length && { aus }) };
    this.flush();
  }

  async flush() {
    if (this.flushing || !this.pending) return;
    this.flushing = true;
    while (this.pending) {
      const settings = this.pending;
      this.pending = null;
      await this.send({ do: "set", ...settings });
    }
    this.flushing = false;
  }

  async send(command) {
    const answer = await this.link.send(command);
    this.notice(answer.message ?? "", answer.is === "error");
    return answer;
  }

  notice(text, isError) {
    byId("notice").textContent = text;
    byId("notice").classList.toggle("error", Boolean(isError));
  }

  showConnection(connected) {
    const place = byId("connection");
    place.classList.toggle("lost", !connected);
    if (!connected) place.textContent = "not connected; trying again";
    if (connected) this.showPicture(true);
  }

  showState(state) {
    const began = state.running && !this.state?.running;
    this.state = state;
    byId("connection").textContent = state.running ? state.camera : "no camera runs";
    byId("start").hidden = state.running;
    byId("trouble").textContent = state.trouble ?? "";
    byId("picture").hidden = !state.running;
    if (began) this.showPicture(true);
    for (const button of document.querySelectorAll("[data-switch]")) {
      button.setAttribute("aria-pressed", Boolean(state[button.dataset.switch]));
    }
    document.querySelector("[data-act=record]").setAttribute("aria-pressed", state.recording);
    document.querySelector("[data-act=record]").disabled = !state.can_record;
    document.querySelector("[data-act=record]").title = state.can_record ? "" : "start with --record take.mp4";
    document.querySelector("[data-act=stop]").disabled = !state.running;
    document.querySelector("[data-act=hand]").setAttribute("aria-pressed", state.hand_s !== null);
    byId("hand").hidden = state.hand_s !== null || !state.hand_steps;
    byId("notes").replaceChildren(...state.notes.map((line) => {
      const item = document.createElement("li");
      item.textContent = line;
      return item;
    }));
    for (const button of document.querySelectorAll("[data-preset]")) {
      button.setAttribute("aria-pressed", button.dataset.preset === state.preset);
    }
    const strength = byId("strength");
    if (document.activeElement !== strength || !this.pending) strength.value = state.strength;
    strength.nextElementSibling.value = state.strength.toFixed(2);
    this.showUnits(state.aus);
  }

  showUnits(aus) {
    const programme = this.state.programme;
    byId("programme").hidden = programme === null;
    byId("programme").textContent = `${programme}: sliders add to it, and a preset takes its place.`;
    for (const slider of this.sliders.values()) {
      slider.show(slider.of(aus));
    }
  }

  showStatus(status) {
    byId("fps").textContent = `${status.fps.toFixed(1)} per second`;
    byId("latency").textContent = status.latency
      ? `${status.latency.p50_ms.toFixed(0)} ms, p95 ${status.latency.p95_ms.toFixed(0)}` : "–";
    byId("dropped").textContent = status.dropped;
    byId("slowest").textContent = status.slowest ? `${status.slowest} ${status.slowest_ms.toFixed(1)} ms` : "–";
  }

  showFaces(message) {
    const face = message.faces[0];
    for (const slider of this.sliders.values()) slider.measured(face?.measured[slider.both] ?? 0);
  }

  /** Opens the live picture. again: also if it is open, since its options have changed. */
  showPicture(again) {
    const picture = byId("picture");
    if (!this.state?.running && !again) return;
    const width = Math.min(1920, Math.round(picture.parentElement.clientWidth * devicePixelRatio));
    const split = this.compare ? { split: byId("split").value } : {};
    picture.src = signed("/v1/picture.mjpeg", { width, ...split });
  }
}

const response = await fetch(signed("/v1/vocabulary"));
if (response.ok) {
  window.panel = new Panel(await response.json());
} else {
  byId("connection").textContent = (await response.json()).message;
}
