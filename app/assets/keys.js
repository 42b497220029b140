// Keys and buttons: both name an action, and every action is here.
"use strict";

(() => {
  const explorer = window.explorer;
  const gallery = window.dash_clientside.gallery;
  const VIEWS = ["crop", "mask", "heat", "frame"];

  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const crops = (count) => `${count.toLocaleString()} crop${count === 1 ? "" : "s"}`;
  const rows = () => [...document.querySelectorAll(".queue-row[data-cluster]")];
  const box = () => document.getElementById("gallery");

  let last = 0; // the verdict before, whose message gives way to the next
  explorer.decide = (verdict) => {
    const at = Math.max(Date.now(), last + 1);
    set("verdict", { data: { ...verdict, at, before: last } });
    last = at;
  };

  // What a verdict is about: the selected crops, else the cluster or the lasso that is shown.
  const target = () => {
    const { place, shape, left } = explorer.page;
    const row = rows()[explorer.ring];
    if (!place) return [null, ""];
    if (row) {
      const cluster = Number(row.dataset.cluster);
      const label = cluster < 0 ? "noise" : `cluster ${cluster}`;
      return [{ run: place.run, cluster }, `${label}, ${crops(Number(row.dataset.size))}`];
    }
    if (explorer.selected.size && box()) {
      const chosen = [...explorer.selected];
      return [{ run: place.run, crops: chosen }, `${crops(chosen.length)} selected`];
    }
    if (place.cluster !== undefined && box()) {
      const label = place.cluster < 0 ? "noise" : `cluster ${place.cluster}`;
      const what = { run: place.run, cluster: place.cluster, flags: left.flags };
      return [what, `${label}, ${crops(left.size ?? place.size)}`];
    }
    if (shape && box()) return [{ run: place.run, shape }, "what is selected on the map"];
    return [null, ""];
  };

  const go = (href) => {
    const url = new URL(href, window.location.href);
    set("url", { pathname: url.pathname, search: url.search });
  };

  const ring = (index) => {
    const items = rows().length ? rows() : explorer.tiles;
    if (!items.length) return;
    explorer.ring = Math.max(0, Math.min(index, items.length - 1));
    items.forEach((item, i) => item.classList.toggle("ring", i === explorer.ring));
    items[explorer.ring].scrollIntoView({ block: "nearest" });
  };

  // After a name the queue moves on by itself to the next cluster without one.
  explorer.next = () => {
    const after = rows().findIndex((row, i) => i > explorer.ring && row.querySelector(".name.none"));
    if (after >= 0) ring(after);
  };

  const columns = () => {
    if (rows().length || explorer.tiles.length < 2) return 1;
    const top = explorer.tiles[0].offsetTop;
    const second = explorer.tiles.findIndex((tile) => tile.offsetTop !== top);
    return second < 0 ? explorer.tiles.length : second;
  };

  const move = (step) => () => ring(explorer.ring < 0 ? 0 : explorer.ring + step());
  const follow = (selector) => () => document.querySelector(selector)?.click();
  const view = (index) => () => box() && set(box().dataset.view, { value: VIEWS[index] });

  const actions = {
    name() {
      if (rows().length && explorer.ring < 0) ring(0);
      const [what, words] = target();
      if (what) explorer.naming.open(what, words, rows()[explorer.ring]?.children[2]);
      else explorer.decide({ action: "name", name: "" }); // the answer says what is missing
    },
    unname: () => explorer.decide({ action: "unname", target: target()[0] }),
    undo: () => explorer.decide({ action: "undo" }),
    redo: () => explorer.decide({ action: "redo" }),
    help: () => set("help", { opened: true }),
    open() {
      const row = rows()[Math.max(explorer.ring, 0)];
      const place = explorer.page.place;
      const shape = explorer.page.shape;
      if (row) go(row.dataset.href);
      else if (shape && shape.cluster !== undefined) {
        go(`/cluster?${new URLSearchParams({ run: place.run, cluster: shape.cluster })}`);
      }
    },
    all: () => gallery.select(explorer.tiles.map((tile) => tile.dataset.id)),
    mark: () => explorer.tiles[explorer.ring] && gallery.toggle(explorer.ring, false),
    clear: () => gallery.select([]),
    left: move(() => -1),
    right: move(() => 1),
    up: move(() => -columns()),
    down: move(() => columns()),
    next: follow(".turn.next"),
    previous: follow(".turn.previous"),
    queue: follow('nav a[href^="/queue"]'),
    map: follow('nav a[href^="/map"]'),
  };
  VIEWS.forEach((kind, index) => (actions[kind] = view(index)));

  const KEYS = {
    n: "name", Delete: "unname", "?": "help", Enter: "open", " ": "mark", Escape: "clear",
    ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
    j: "next", k: "previous", q: "queue", m: "map",
    1: "crop", 2: "mask", 3: "heat", 4: "frame",
  };
  const WITH_CONTROL = { z: "undo", y: "redo", a: "all" };

  const meaning = (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.altKey) return undefined;
    if (!event.ctrlKey && !event.metaKey) return KEYS[key];
    if (event.shiftKey && key === "z") return "redo";
    return key === "a" && !explorer.tiles.length ? undefined : WITH_CONTROL[key];
  };

  const typing = (at) => at.matches("input:not([type=radio]), textarea, [contenteditable]");

  document.addEventListener("keydown", (event) => {
    const action = meaning(event);
    if (!action || typing(event.target) || document.querySelector("[aria-modal]")) return;
    if (action === "open" && event.target.closest("a, button")) return;
    if (action === "mark" && event.target.closest("button")) return;
    event.preventDefault();
    actions[action]();
  }, true);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-do], [data-copy]");
    const row = event.target.closest(".queue-row[data-href]");
    if (row && !button) return go(row.dataset.href);
    if (!button) return undefined;
    button.blur(); // else Space would press it again
    if (button.dataset.do) return actions[button.dataset.do]();
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
    return setTimeout(() => (button.textContent = "copy"), 1500);
  });

  window.dash_clientside.keys = {
    // Keep the address true to what is shown, without loading the page anew.
    address(...values) {
      const place = values.pop();
      const query = new URLSearchParams(window.location.search);
      query.set("run", place.run);
      for (const { id, value } of window.dash_clientside.callback_context.inputs_list) {
        query.set(id.split("-").pop(), value);
      }
      window.history.replaceState(window.history.state, "", `?${query}`);
      return query.toString();
    },
    names(list) {
      explorer.page.names = list || [];
    },
  };
})();
