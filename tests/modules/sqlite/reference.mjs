import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
const initialize = createRequire(import.meta.url)(process.argv[2] + "/sql.js/dist/sql-wasm.js");
const SQL = await initialize();
const db = new SQL.Database();
// As SQLite makes text of a number: 3.0 for 3, which JavaScript cannot tell from an integer; the inputs avoid others.
try {
  for (const statement of db.iterateStatements(readFileSync(0, "utf8"))) {
    const names = statement.getColumnNames();
    if (names.length) console.log(names.join("|"));
    while (statement.step()) {
      const row = statement.get();
      console.log(row.map((value, i) => (value === null ? "" : names[i].startsWith("round(") ? value.toFixed(1) : value)).join("|"));
    }
  }
} catch (error) {
  console.log("!" + error.message);
}
