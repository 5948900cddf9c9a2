// Filter, search and folding. The page is whole without it; nothing here reads or sends anything but the page itself.
(() => {
  "use strict";
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));
  const byId = (id) => document.getElementById(id);

  const rows = all("[data-row]").map((element) => ({
    element,
    severity: element.dataset.severity,
    check: element.dataset.check,
    namespaces: element.dataset.namespace.split(" "),
    text: null,
  }));
  const groups = all("[data-group]").map((element) => ({ element, rows: all("[data-row]", element), open: element.open }));
  const panel = byId("filter");

  // What a row says, with what its owner is called: computed at the first search, kept for the next ones.
  const textOf = (row) => {
    if (row.text === null) {
      const owner = row.element.closest("[data-group]");
      const heading = owner ? owner.querySelector("summary").textContent : "";
      row.text = (heading + " " + row.element.textContent).toLowerCase();
    }
    return row.text;
  };

  const empty = () => ({ q: "", severity: new Set(), check: "", namespace: "" });
  let filter = empty();

  // The filter stands in the address, so that a filtered view can be sent: #q=…&severity=high,critical&check=…&namespace=…
  const read = () => {
    const found = empty();
    const parameters = new URLSearchParams(location.hash.slice(1));
    found.q = parameters.get("q") || "";
    found.check = parameters.get("check") || "";
    found.namespace = parameters.get("namespace") || "";
    for (const severity of (parameters.get("severity") || "").split(",")) if (severity) found.severity.add(severity);
    return found;
  };
  const write = () => {
    const parameters = new URLSearchParams();
    if (filter.q) parameters.set("q", filter.q);
    if (filter.severity.size) parameters.set("severity", Array.from(filter.severity).join(","));
    if (filter.check) parameters.set("check", filter.check);
    if (filter.namespace) parameters.set("namespace", filter.namespace);
    const fragment = parameters.toString();
    // A browser may refuse this for a local file; the filter works all the same.
    try { history.replaceState(null, "", fragment ? "#" + fragment : location.pathname + location.search); } catch { /* the address stays */ }
  };
  const active = () => filter.q !== "" || filter.severity.size > 0 || filter.check !== "" || filter.namespace !== "";

  const apply = () => {
    const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = (filter.severity.size === 0 || filter.severity.has(row.severity))
        && (filter.check === "" || row.check === filter.check)
        && (filter.namespace === "" || row.namespaces.includes(filter.namespace))
        && (words.length === 0 || words.every((word) => textOf(row).includes(word)));
      row.element.hidden = !fits;
      if (fits) shown += 1;
    }
    for (const group of groups) {
      const some = group.rows.some((row) => !row.hidden);
      group.element.hidden = !some;
      group.element.open = active() ? some : group.open;
    }
    for (const id of ["findings", "unknown", "manual", "waived"]) {
      const section = byId(id);
      if (section) section.hidden = active() && all("[data-row]", section).every((row) => row.hidden);
    }
    const output = byId("shown");
    output.textContent = output.dataset.template.replace("{shown}", shown).replace("{all}", rows.length);
    document.documentElement.dataset.filtered = active() ? "yes" : "no";
    byId("nothing").hidden = shown > 0;
    byId("reset").disabled = !active();
  };

  const show = () => {
    byId("q").value = filter.q;
    byId("check").value = filter.check;
    byId("namespace").value = filter.namespace;
    for (const chip of all("[data-severity-filter]")) {
      chip.setAttribute("aria-pressed", String(filter.severity.has(chip.dataset.severityFilter)));
    }
    apply();
  };

  const changed = () => { write(); apply(); };

  // An anchor inside something folded unfolds it.
  const reveal = () => {
    const target = /^#[\w-]+$/.test(location.hash) ? byId(location.hash.slice(1)) : null;
    if (!target) return false;
    if (target.closest("[hidden]")) { filter = empty(); show(); }
    for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
    target.scrollIntoView();
    return true;
  };
  const arrive = () => {
    if (reveal()) return;
    filter = read();
    show();
  };

  // Why a finding matters is written once a check; on the screen it is shown inside the findings too, when they are opened.
  let printing = false;
  const explain = (finding) => {
    const here = finding.querySelector(".words-here");
    const link = finding.querySelector(".foot a");
    const guide = byId(link.getAttribute("href").slice(1));
    const words = guide && guide.querySelector(".words");
    if (!here.hidden || !words || words.children.length === 0) return;
    here.append(...Array.from(words.cloneNode(true).childNodes));
    // The example of a change says nothing new beside the change for this very object.
    if (finding.querySelector(".change")) for (const example of all("pre", here)) example.remove();
    here.hidden = false;
  };
  document.addEventListener("toggle", (event) => {
    const details = event.target;
    if (!printing && details.open && details.classList.contains("finding")) explain(details);
  }, true);
  for (const finding of all(".finding[open]")) explain(finding);

  let folded = [];
  addEventListener("beforeprint", () => {
    printing = true;
    folded = all("details:not([open])");
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
    folded = [];
    // The toggle events of what was opened for paper arrive after this one.
    setTimeout(() => { printing = false; }, 0);
  });

  if (!panel) { reveal(); addEventListener("hashchange", reveal); return; }
  panel.hidden = false;

  let waiting = 0;
  byId("q").addEventListener("input", (event) => {
    filter.q = event.target.value.trim();
    clearTimeout(waiting);
    waiting = setTimeout(changed, 120);
  });
  for (const id of ["check", "namespace"]) {
    byId(id).addEventListener("change", (event) => { filter[id] = event.target.value; changed(); });
  }
  for (const chip of all("[data-severity-filter]")) {
    chip.addEventListener("click", () => {
      const severity = chip.dataset.severityFilter;
      const pressed = !filter.severity.delete(severity);
      if (pressed) filter.severity.add(severity);
      chip.setAttribute("aria-pressed", String(pressed));
      changed();
    });
  }
  byId("reset").addEventListener("click", () => { filter = empty(); write(); show(); byId("q").focus(); });
  const unfold = byId("unfold");
  unfold.addEventListener("click", () => {
    const open = unfold.textContent === unfold.dataset.expand;
    for (const details of all("#findings details")) if (!details.hidden) details.open = open;
    for (const group of groups) group.open = open;
    unfold.textContent = open ? unfold.dataset.collapse : unfold.dataset.expand;
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest && event.target.closest("input, select, textarea");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); byId("q").focus(); }
    if (event.key === "Escape" && event.target.id === "q") { filter = empty(); write(); show(); }
  });
  addEventListener("hashchange", arrive);
  arrive();
})();
