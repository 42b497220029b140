// A click on any element with `data-job` starts that job; `data-stop` stops one by its id.
"use strict";

document.addEventListener("click", (event) => {
  const at = event.target.closest("[data-job], [data-stop], [data-reload]");
  if (!at || at.disabled) return undefined;
  if (at.dataset.reload) return window.location.reload();
  const asked = at.dataset.job ? { start: JSON.parse(at.dataset.job) } : { stop: at.dataset.stop };
  const data = { ...asked, at: Date.now() };
  return window.dash_clientside.set_props("jobs-asked", { data });
});
