[3, 1, 2].sort().map((x) => x * 14).join("-")
