"use strict";
// Says that scripts run before anything is drawn, so that what is closed at first isn't
// laid out open.
document.documentElement.classList.add("scripts");
