//! Reads a file and lists a directory.
const std = @import("std");

pub fn main(init: std.process.Init) !void {
    const gpa = init.arena.allocator();
    var output_buffer: [256]u8 = undefined;
    var output = std.Io.File.stdout().writerStreaming(init.io, &output_buffer);
    const out = &output.interface;
    const cwd: std.Io.Dir = .cwd();
    const args = try init.minimal.args.toSlice(gpa);
    for (args[1..]) |path| {
        const text = cwd.readFileAlloc(init.io, path, gpa, .limited(1 << 20)) catch |problem| {
            try out.print("{s}: {t}\n", .{ path, problem });
            continue;
        };
        try out.print("{s}: {d} bytes, CRC {x}\n", .{ path, text.len, std.hash.Crc32.hash(text) });
    }
    var names: std.ArrayList([]const u8) = .empty;
    var directory = try cwd.openDir(init.io, ".", .{ .iterate = true });
    defer directory.close(init.io);
    var entries = directory.iterate();
    while (try entries.next(init.io)) |entry|
        try names.append(gpa, try std.fmt.allocPrint(gpa, "{s} {t}", .{ entry.name, entry.kind }));
    std.mem.sort([]const u8, names.items, {}, struct {
        fn lessThan(_: void, a: []const u8, b: []const u8) bool {
            return std.mem.order(u8, a, b) == .lt;
        }
    }.lessThan);
    for (names.items) |name| try out.print("{s}\n", .{name});
    try out.flush();
}
