//! Containers with several allocators, sorting, and errors that reach main.
const std = @import("std");

fn check(n: u32) error{TooLarge}!u32 {
    return if (n > 100) error.TooLarge else n;
}

pub fn main(init: std.process.Init) !void {
    const gpa = init.gpa;
    var list: std.ArrayList(u32) = .empty;
    defer list.deinit(gpa);
    var state: u32 = 1;
    for (0..1000) |_| {
        state = state *% 1664525 +% 1013904223;
        try list.append(gpa, state >> 20);
    }
    std.mem.sort(u32, list.items, {}, std.sort.asc(u32));

    var map: std.StringHashMapUnmanaged(usize) = .empty;
    defer map.deinit(gpa);
    for ([_][]const u8{ "one", "two", "one", "three", "one" }) |word| {
        const entry = try map.getOrPutValue(gpa, word, 0);
        entry.value_ptr.* += 1;
    }

    const text = try std.fmt.allocPrint(init.arena.allocator(), "{d} {d} {d} {d}\n", .{
        list.items[0], list.items[500], list.items[999], map.get("one").?,
    });
    try std.Io.File.stdout().writeStreamingAll(init.io, text);

    const huge = gpa.alloc(u8, 0xf000_0000);
    try std.Io.File.stdout().writeStreamingAll(init.io, if (huge) |_| "huge\n" else |_| "out of memory\n");

    const args = try init.minimal.args.toSlice(init.arena.allocator());
    _ = try check(@intCast(args.len * 50)); // an error from main is reported, with exit status 1
}
