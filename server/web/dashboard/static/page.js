// What every page of the dashboard needs beyond HTML. Knows no page in particular.
import "./ask.js";
import "./copy.js";
import "./live.js";
import "./times.js";
