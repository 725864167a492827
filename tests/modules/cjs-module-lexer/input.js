"use strict";
// Babel, TypeScript, esbuild and hand-written forms
Object.defineProperty(exports, "__esModule", { value: true });
exports.first = exports.second = void 0;
exports['third-name'] = /exports\.no = 1/;
module.exports.fourth = function () { exports.inner = `exports.template = ${1 / 2}`; };
Object.defineProperty(exports, 'getter', { enumerable: true, get: function () { return dep.getter; } });
Object.defineProperty(exports, "valued", { enumerable: true, value: 3 });
__exportStar(require("./star-one"), exports);
tslib_1.__exportStar(require('./star-two.js'), exports);
Object.keys(_babel).forEach(function (key) {
  if (key === "default" || key === "__esModule") return;
  if (key in exports && exports[key] === _babel[key]) return;
  exports[key] = _babel[key];
});
var _babel = require("babel-reexport");
0 && (module.exports = { a, b, 'quoted': c, ...require("spread") });
