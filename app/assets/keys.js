// Keys and buttons: both name an action, and every action is here.
"use strict";

(() => {
  const { explorer } = window;
  const { set, ask, address, go, count } = explorer;
  const { gallery, queue, box } = explorer;
  const VIEWS = ["crop", "mask", "heat", "frame"];
  const ONWARD = ["validate", "reject", "indeterminate", "name", "merge"]; // after these comes the next

  const titled = (row) => row.title || `cluster ${row.group}`;

  // Keys rest until the page that was asked for is there: a verdict would be on what one has left.
  const PATIENCE = 4000; // ms, after which the page is taken to have stayed
  let left = null; // what the gallery showed when one went on, and when that was
  const waiting = () => {
    if (!document.getElementById("page")?.childElementCount) return true;
    if (left && (gallery.listing !== left.listing || Date.now() > left.at + PATIENCE)) left = null;
    return left !== null;
  };
  window.addEventListener("popstate", () => (left = null));

  // What a verdict is about: the row of the queue, else the selected crops, else all that is shown.
  const target = () => {
    const { row } = queue;
    if (row) {
      const { group, part, show } = row;
      const what = group === null ? { show } : part === undefined ? { group } : { group, part };
      const words = `${titled(row)}, ${count(row.size, "crop")}`;
      return { target: { run: queue.run, ...what }, count: row.size, words, row };
    }
    const { listing, selected, everything } = gallery;
    if (!listing) return null;
    if (selected.size && !everything) {
      const crops = [...selected];
      return { target: { run: listing.run, crops }, words: `${count(crops.length, "crop")} selected`, some: true };
    }
    // What a search found, and all there is, are no one thing: a verdict wants them selected.
    const loose = listing.what && (listing.what.like || listing.what.show === "all");
    if (!listing.count || (loose && !everything)) return null;
    const words = `${listing.title.toLowerCase()}, ${count(listing.count, "crop")}`;
    return { target: listing.what, count: listing.count, words, some: everything };
  };

  const follow = (selector) => () => {
    const link = document.querySelector(selector);
    if (!link) return;
    left = { listing: gallery.listing, at: Date.now() };
    link.click();
  };

  const onward = (action, at) => {
    if (at.row) queue.next();
    else if (at.some) gallery.advance();
    else if (ONWARD.includes(action)) follow(".turn.onward")();
  };

  const verdict = (action, more = {}) => {
    if (queue.active && queue.ring < 0) queue.move(0);
    const at = more.at || target();
    if (!at) return explorer.say("Nothing to decide on here: open a cluster or select crops first", true);
    explorer.decide({ action, target: at.target, count: at.count, ...more.extra });
    return onward(action, at);
  };

  const choose = (what, done) => {
    if (queue.active && queue.ring < 0) queue.move(0);
    const at = target();
    if (!at) return explorer.say("Nothing to decide on here: open a cluster or select crops first", true);
    return box.open({ ...what(at), beside: queue.beside, done: (answer) => done(at, answer) });
  };

  const name = () => choose(
    (at) => ({
      title: `Name ${at.words}`,
      label: "Subcategory",
      placeholder: "Subcategory, such as plastic bag",
      free: true,
      options: ask(address("/data/names", { run: at.target.run })).then((names) => names.map(
        ([text, crops]) => ({ text, value: text, note: crops.toLocaleString("en") }),
      )),
    }),
    (at, text) => verdict("name", { at, extra: { name: text } }),
  );

  const merge = () => choose(
    (at) => ({
      title: `Put ${at.words} into another cluster`,
      label: "Cluster",
      placeholder: "Number or name of the cluster",
      free: false,
      crops_run: (gallery.listing || {}).crops_run || queue.crops_run,
      options: ask(address("/data/groups", { run: at.target.run })).then((groups) => groups
        .filter(({ group }) => group !== at.target.group)
        .map(({ group, size, names, exemplars }) => ({
          text: [group === "-1" ? "noise" : group, ...names].join(" · "),
          value: group,
          note: size.toLocaleString("en"),
          crops: exemplars,
        }))),
    }),
    (at, to) => {
      const whole = at.target.group !== undefined && at.target.part === undefined && !at.target.state;
      verdict(whole ? "merge" : "move", { at, extra: { to } });
    },
  );

  const split = () => {
    const at = target();
    const place = window.location.pathname;
    if (at && (at.some || at.target.shape || at.target.part !== undefined)) return verdict("split");
    if (at && at.target.group !== undefined && place !== "/map") {
      const { run, group } = at.target;
      return go(address("/map", { run, group }));
    }
    return explorer.say("Select the crops to split off, or draw around them on the map", true);
  };

  const grow = () => {
    const at = target();
    const group = at && at.target.group;
    if (group === undefined || group === "-1" || group === null) {
      return explorer.say("Open the cluster that is to grow first", true);
    }
    return go(address("/grow", { run: at.target.run, group }));
  };

  const flag = () => {
    const [first] = gallery.selected;
    const at = gallery.listing && gallery.know(first);
    verdict(at && at.second ? "unflag" : "flag");
  };

  const open = () => {
    if (queue.active) return queue.open();
    const { listing, crop } = gallery;
    if (listing && crop) return go(address("/frame", { crop, run: listing.crops_run }));
    if (listing && listing.what && listing.what.group !== undefined && window.location.pathname === "/map") {
      return go(address("/cluster", { run: listing.run, group: listing.what.group }));
    }
    return undefined;
  };

  const pin = () => {
    const { listing, crop, selected } = gallery;
    const chosen = crop || [...selected][0];
    if (!listing || !chosen) return explorer.say("Move the ring to a crop first (arrow keys)", true);
    return set("pin", { data: { crop: chosen, crops_run: listing.crops_run } });
  };

  const like = () => {
    const { listing, crop, selected } = gallery;
    const chosen = crop || [...selected][0];
    if (!listing || !chosen) return explorer.say("Move the ring to a crop first (arrow keys)", true);
    return go(address("/cluster", { run: listing.run, like: chosen }));
  };

  const move = (step, unfolds) => () => {
    if (queue.active) {
      if (unfolds !== undefined) return queue.unfold(queue.ring, unfolds);
      return queue.move(queue.ring < 0 ? 0 : queue.ring + Math.sign(step()));
    }
    return gallery.listing && gallery.move(gallery.ring < 0 ? 0 : gallery.ring + step());
  };

  const actions = {
    approve: () => verdict("validate"),
    reject: () => verdict("reject"),
    indeterminate: () => verdict("indeterminate"),
    take: () => verdict("name"),
    unname: () => verdict("clear"),
    name, merge, split, grow, flag, open, pin, like,
    unpin: () => set("pin", { data: null }),
    undo: () => explorer.decide({ action: "undo" }),
    redo: () => explorer.decide({ action: "redo" }),
    help: () => set("help", { opened: true }),
    all: () => gallery.listing && gallery.all(),
    mark: () => gallery.listing && gallery.ring >= 0 && gallery.toggle(gallery.ring, false),
    clear() {
      if (gallery.selected.size) gallery.select([]);
      else if (window.location.pathname === "/map") explorer.map.erase();
    },
    left: move(() => -1, false),
    right: move(() => 1, true),
    up: move(() => -gallery.columns),
    down: move(() => gallery.columns),
    next: follow(".turn.next"),
    previous: follow(".turn.previous"),
    queue: follow('nav a[href^="/queue"]'),
  };
  VIEWS.forEach((kind, index) => (actions[kind] = () => {
    const at = document.getElementById("gallery");
    if (at && at.dataset.view) set(at.dataset.view, { value: VIEWS[index] });
  }));
  explorer.act = (action) => actions[action]();

  const KEYS = {
    a: "approve", x: "reject", n: "name", m: "merge", s: "split", g: "grow", f: "flag",
    i: "indeterminate", y: "take", p: "pin", l: "like", Delete: "unname", "?": "help", Enter: "open", " ": "mark",
    Escape: "clear", ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
    j: "next", k: "previous", q: "queue", 1: "crop", 2: "mask", 3: "heat", 4: "frame",
  };
  const WITH_CONTROL = { z: "undo", y: "redo", a: "all" };

  const meaning = (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.altKey) return undefined;
    if (!event.ctrlKey && !event.metaKey) return KEYS[key];
    if (event.shiftKey && key === "z") return "redo";
    return key === "a" && !gallery.listing ? undefined : WITH_CONTROL[key];
  };

  const typing = (at) => at.matches("input:not([type=radio]), textarea, select, [contenteditable], .ag-root *");

  document.addEventListener("keydown", (event) => {
    const action = meaning(event);
    if (!action || typing(event.target) || document.querySelector("[aria-modal=true]")) return;
    if (waiting()) return;
    const pressed = event.target.closest("a, button, [role=tab], [role=slider], summary, label");
    if (pressed && ["open", "mark"].includes(action)) return;
    if (pressed?.matches("[role=slider], [role=tab], label") && event.key.startsWith("Arrow")) return;
    const own = explorer.own && document.querySelector(explorer.own.page) && explorer.own.act(action);
    if (own === "pass") return;
    event.preventDefault();
    if (!own) actions[action]();
  }, true);

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-do], [data-copy]");
    if (!button) return undefined;
    button.blur(); // else Space would press it again
    if (button.dataset.do) {
      const own = explorer.own && document.querySelector(explorer.own.page) && explorer.own.act(button.dataset.do);
      return own ? undefined : actions[button.dataset.do]();
    }
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
        const name = id.split("-").pop();
        if (value === null || value === undefined || value === "") query.delete(name);
        else query.set(name, value);
      }
      window.history.replaceState(window.history.state, "", `?${query}`);
      return query.toString();
    },
  };
})();
