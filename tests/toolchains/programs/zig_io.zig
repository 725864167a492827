//! Standard input line by line, formatting, arguments and environment.
const std = @import("std");

pub fn main(init: std.process.Init) !u8 {
    var output_buffer: [256]u8 = undefined;
    var output = std.Io.File.stdout().writerStreaming(init.io, &output_buffer);
    const out = &output.interface;

    const args = try init.minimal.args.toSlice(init.arena.allocator());
    for (args[1..], 1..) |arg, i| try out.print("arg {d}: [{s}]\n", .{ i, arg });
    try out.print("HOME: {s}\n", .{init.environ_map.get("HOME") orelse "none"});

    var input_buffer: [128]u8 = undefined;
    var input = std.Io.File.stdin().readerStreaming(init.io, &input_buffer);
    var lines: usize = 0;
    while (try input.interface.takeDelimiter('\n')) |line| : (lines += 1)
        try out.print("{d:>3}: {s} ({d} bytes)\n", .{ lines, line, line.len });
    try out.print("{d} lines\n", .{lines});

    try out.print("{d} {x} {X:0>8} {b} {o} {e} {d:.3} {d}\n", .{ -42, 255, 0xbeef, 5, 8, 12345.678, 2.0 / 3.0, 1e21 });
    try out.print("{any} {?d} {s:<6}|{s:>6}|{s:^6}|\n", .{ [_]u8{ 1, 2 }, @as(?u8, null), "ab", "cd", "ef" });
    try out.flush();
    std.debug.print("to standard error\n", .{});
    return @intCast(lines);
}
