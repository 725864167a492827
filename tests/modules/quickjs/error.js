print("before");
function deep(n) { if (n === 0) throw new TypeError("at the bottom"); return deep(n - 1); }
deep(20);
print("not reached");
