import js from "@eslint/js";
import noUnsanitized from "eslint-plugin-no-unsanitized";
import globals from "globals";

// Markup reaches a page through templates of Python only, which escape; modules of the
// browser make elements and set their text.
const NO_MARKUP = [
  "createContextualFragment",
  "dangerouslySetInnerHTML",
  "parseHTMLUnsafe",
  "srcdoc",
].map((property) => ({ property, message: "Make elements and set their textContent." }));

export default [
  { ignores: ["**/.venv/", "workbench/app/bundles/", "demo/", "runs/", "docs/", "build/", "dist/"] },
  js.configs.recommended,
  noUnsanitized.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2023, sourceType: "module" },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "max-lines": ["error", 400],
      "max-lines-per-function": ["error", 60],
      "max-params": ["error", 7],
      complexity: ["error", 15],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-restricted-properties": ["error", ...NO_MARKUP],
      "no-script-url": "error",
      "no-shadow": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-var": "error",
      "object-shorthand": "error",
      "prefer-const": "error",
      "prefer-template": "error",
    },
  },
  { files: ["workbench/**/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["tests/js/**/*.js"], rules: { "no-unsanitized/method": "off" } }, // which forbids import(path)
  { files: ["scripts/**/*.mjs", "tests/js/**/*.js", "eslint.config.js"], languageOptions: { globals: globals.node } },
];
