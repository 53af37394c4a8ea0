// Tells Streamlit which theme the person chose on this device, before it draws: it keeps one for each address, we keep one for all.
(function () {
  "use strict";
  try {
    var chosen = localStorage.getItem("factoryops-theme");
    var key = "stActiveTheme-" + location.pathname + "-v2";
    if (chosen === "Light" || chosen === "Dark") localStorage.setItem(key, JSON.stringify(chosen));
    else localStorage.removeItem(key);
  } catch (blocked) { /* no storage: the device decides */ }
})();
