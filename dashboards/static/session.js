// What Streamlit leaves to the page: links without a reload, leaving when the session ends, and the choice of a theme.
(function () {
  "use strict";
  // A link inside the app: Streamlit changes its page when the address changes by itself (popstate), without loading anew.
  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("a.nav");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    history.pushState({}, "", link.getAttribute("href"));
    window.dispatchEvent(new PopStateEvent("popstate", { state: {} }));
    var main = document.querySelector("[data-testid=stMain]");
    if (main) main.scrollTo(0, 0);
  }, true);

  // Signing out is a POST, so that no picture or link on another site can do it.
  document.addEventListener("click", function (event) {
    if (!(event.target.closest && event.target.closest(".sign-out"))) return;
    event.preventDefault();
    var form = document.createElement("form");
    form.method = "post";
    form.action = "/session/logout";
    document.body.appendChild(form);
    form.submit();
  }, true);

  // Light, dark, or as the device says; theme.js tells Streamlit at the next load.
  document.addEventListener("click", function (event) {
    var button = event.target.closest && event.target.closest("[data-theme-choice]");
    if (!button) return;
    event.preventDefault();
    localStorage.setItem("factoryops-theme", button.getAttribute("data-theme-choice"));
    location.reload();
  }, true);

  function leave() {
    var here = location.pathname + location.search;
    location.assign("/session/login" + (here === "/" ? "" : "?next=" + encodeURIComponent(here)));
  }

  // A session that ended elsewhere (other tab, too old, revoked) ends here too; asking does not keep it awake.
  function ask() {
    if (document.visibilityState !== "visible") return;
    fetch("/session/state", { cache: "no-store" }).then(function (answer) {
      if (answer.status === 401) leave();
    }, function () { /* the server is away: Streamlit says so and connects again */ });
  }
  setInterval(ask, 5000);
  document.addEventListener("visibilitychange", ask);

  // Somebody at the keyboard keeps it awake.
  var last = Date.now();
  function used() {
    if (Date.now() - last < 60000) return;
    last = Date.now();
    fetch("/session/alive", { method: "POST", cache: "no-store" }).catch(function () { /* asked again at the next touch */ });
  }
  document.addEventListener("pointerdown", used, true);
  document.addEventListener("keydown", used, true);

  // A new critical alert sounds for whoever wants it: the number of the newest one stands on the page and changes with it.
  var heard = null, audio = null;
  function tone(at, pitch) {
    var wave = audio.createOscillator(), volume = audio.createGain();
    wave.frequency.value = pitch;
    volume.gain.setValueAtTime(0.25, audio.currentTime + at);
    volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + at + 0.35);
    wave.connect(volume).connect(audio.destination);
    wave.start(audio.currentTime + at);
    wave.stop(audio.currentTime + at + 0.4);
  }
  setInterval(function () {
    var mark = document.querySelector("[data-alarm]"), newest = mark && mark.getAttribute("data-alarm");
    if (!mark) return;
    if (heard !== null && newest !== heard && newest !== "0") {
      audio = audio || new (window.AudioContext || window.webkitAudioContext)();
      audio.resume();
      tone(0, 880); tone(0.45, 660); tone(0.9, 880);
      document.documentElement.setAttribute("data-alarm-played", newest);
    }
    heard = newest;
  }, 1000);

  // On a phone a page can have more tabs than fit: the one that is open is in sight.
  var tab = null;
  setInterval(function () {
    var on = document.querySelector(".tabs a.on");
    if (!on || on === tab) return;
    tab = on;
    var bar = on.parentElement, end = on.offsetLeft - bar.offsetLeft + on.offsetWidth;
    if (end > bar.scrollLeft + bar.clientWidth) bar.scrollLeft = end - bar.clientWidth + 24;
  }, 400);

  // The wall fills the screen: browsers allow that only for a click.
  document.addEventListener("click", function (event) {
    var link = event.target.closest && event.target.closest("a.to-wall");
    var root = document.documentElement;
    if (link && root.requestFullscreen) root.requestFullscreen().catch(function () { /* the wall works in a window too */ });
  }, true);
})();
