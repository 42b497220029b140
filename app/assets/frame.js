// Frame: layers are switched, a box and its crop belong together, the arrows go along the dive.
"use strict";

(() => {
  const set = (id, props) => window.dash_clientside.set_props(id, props);
  const page = () => document.querySelector(".frame-page");
  const STRONG = 60; // opacity in percent that H switches the heat map to

  let layers = [];
  let opacity = 0;

  const toggle = (layer) => {
    const without = layers.filter((other) => other !== layer);
    set("frame-layers", { value: without.length < layers.length ? without : [...layers, layer] });
  };

  const go = (which) => document.querySelector(`.frame-${which}`)?.click();
  const actions = {
    b: () => toggle("boxes"),
    m: () => toggle("masks"),
    h: () => set("frame-heat", { value: opacity ? 0 : STRONG }),
    ArrowLeft: () => go("before"),
    ArrowRight: () => go("after"),
  };

  const choose = (crop) => {
    for (const made of document.querySelectorAll("[data-crop]")) {
      made.classList.toggle("chosen", made.dataset.crop === crop);
    }
    document.querySelector(".frame-crop.chosen")?.scrollIntoView({ block: "nearest" });
    const query = new URLSearchParams(window.location.search);
    query.set("crop", crop);
    window.history.replaceState(window.history.state, "", `?${query}`);
  };

  // On the window, so that these keys come before those that other pages share.
  window.addEventListener("keydown", (event) => {
    if (!page() || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.matches("input:not([type=checkbox]), textarea, [role=slider]")) return;
    if (document.querySelector("[aria-modal]")) return;
    if (event.key === " " || event.key === "Enter") return void event.stopPropagation();
    const act = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  }, true);

  document.addEventListener("click", (event) => {
    if (!page() || event.target.closest("a")) return;
    const made = event.target.closest("[data-crop]");
    if (made) choose(made.dataset.crop);
  });

  for (const [name, on] of [["pointerover", true], ["pointerout", false]]) {
    document.addEventListener(name, (event) => {
      const crop = page() && event.target.closest?.("[data-crop]")?.dataset.crop;
      if (!crop) return;
      for (const made of document.querySelectorAll("[data-crop]")) {
        if (made.dataset.crop === crop) made.classList.toggle("near", on);
      }
    });
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.frame = {
    layers(shown, percent, heatOf) {
      layers = shown || [];
      opacity = percent;
      const stage = document.querySelector(".frame-stage");
      if (!stage) return null;
      stage.classList.toggle("no-boxes", !layers.includes("boxes"));
      stage.classList.toggle("no-masks", !layers.includes("masks"));
      const heat = stage.querySelector(".heat");
      if (heat) {
        heat.hidden = !percent || !heatOf;
        heat.style.opacity = percent / 100;
        const source = `${stage.dataset.heat}?${new URLSearchParams({ class: heatOf || "" })}`;
        if (!heat.hidden && heat.getAttribute("src") !== source) heat.src = source;
      }
      return layers.length;
    },
  };
})();
