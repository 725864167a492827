//! Panics: by hand, an index out of bounds, an overflow (this one is built with ReleaseSafe).
const std = @import("std");

pub fn main(init: std.process.Init) !void {
    const args = try init.minimal.args.toSlice(init.arena.allocator());
    try std.Io.File.stdout().writeStreamingAll(init.io, "before\n");
    var small: u8 = 250;
    if (args.len == 1) std.process.exit(9);
    for (args[1]) |c| switch (c) {
        'p' => @panic("by hand"),
        'i' => _ = args[args[1].len + 1],
        'o' => small += @intCast(args[1].len * 100),
        'u' => unreachable,
        else => {},
    };
    try std.Io.File.stdout().writeStreamingAll(init.io, "after\n");
}
