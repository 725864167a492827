exports.a = 1;
const url = import.meta.url;
