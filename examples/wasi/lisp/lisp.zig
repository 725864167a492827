//! A small Lisp in the manner of Scheme: reads expressions from standard input and prints their values.
//!
//! Special forms: and begin cond define if lambda let (named, too) or quote set!
//! Values: 64-bit integers, strings, symbols, lists and pairs, #t and #f, functions. All but #f is true.
//! Functions: see `builtins` below. Calls in tail position take no stack, so they are the loops.
//!
//! An expression that fails is reported on standard error with its line, the next ones are evaluated all
//! the same, and the exit status is 1; one that can't be read ends the program. At a terminal there is a
//! prompt. Nothing is ever freed.
//!
//! An ordinary WASI command. To build it: pip install ziglang==0.17.1
//!     python -m ziglang build-exe -target wasm32-wasi -O ReleaseSmall --stack 1048576 lisp.zig

const std = @import("std");
const Io = std.Io;

/// How deep evaluations, expressions to read and lists to compare or print may be nested; the calls of
/// the interpreter itself then take less than half a megabyte, which is what WASI hosts allow.
const max_depth = 500;

const Error = error{ Lisp, OutOfMemory, ReadFailed, WriteFailed };

const Value = union(enum) {
    /// What a definition or an output has for a value; it is not printed.
    nothing,
    empty_list,
    boolean: bool,
    integer: i64,
    string: []const u8,
    symbol: *Symbol,
    pair: *const Pair,
    builtin: *const Builtin,
    lambda: *const Lambda,

    fn isTrue(value: Value) bool {
        return value != .boolean or value.boolean;
    }

    /// Prints the value as it is written in a program.
    pub fn format(value: Value, writer: *Io.Writer) Io.Writer.Error!void {
        try value.print(writer, max_depth);
    }

    /// Prints the value for people: a string without quotes.
    fn show(value: Value, writer: *Io.Writer) Io.Writer.Error!void {
        if (value == .string) try writer.writeAll(value.string) else try value.format(writer);
    }

    fn print(value: Value, writer: *Io.Writer, depth: usize) Io.Writer.Error!void {
        switch (value) {
            .nothing => {},
            .empty_list => try writer.writeAll("()"),
            .boolean => |boolean| try writer.writeAll(if (boolean) "#t" else "#f"),
            .integer => |integer| try writer.print("{d}", .{integer}),
            .symbol => |symbol| try writer.writeAll(symbol.name),
            .builtin => |builtin| try writer.print("#<function {s}>", .{builtin.name}),
            .lambda => |lambda| try writer.print("#<function {s}>", .{lambda.name}),
            .string => |string| {
                try writer.writeByte('"');
                for (string) |byte| switch (byte) {
                    '\n' => try writer.writeAll("\\n"),
                    '\t' => try writer.writeAll("\\t"),
                    '"', '\\' => try writer.print("\\{c}", .{byte}),
                    else => try writer.writeByte(byte),
                };
                try writer.writeByte('"');
            },
            .pair => |first| {
                if (depth == 0) return writer.writeAll("(...)");
                try writer.writeByte('(');
                var pair = first;
                while (true) {
                    try pair.first.print(writer, depth - 1);
                    if (pair.rest != .pair) break;
                    try writer.writeByte(' ');
                    pair = pair.rest.pair;
                }
                if (pair.rest != .empty_list) {
                    try writer.writeAll(" . ");
                    try pair.rest.print(writer, depth - 1);
                }
                try writer.writeByte(')');
            },
        }
    }
};

const Pair = struct { first: Value, rest: Value };

/// A name. There is only one symbol of each.
const Symbol = struct {
    name: []const u8,
    form: ?Form = null,
    global: ?Value = null,
};

const Form = enum { @"and", begin, cond, define, @"if", lambda, let, @"or", quote, @"set!" };

const Lambda = struct {
    name: []const u8,
    /// A list of symbols; what follows its last dot, or a symbol alone, takes the other arguments.
    parameters: Value,
    body: Value,
    scope: ?*Scope,
};

const Builtin = struct {
    name: []const u8,
    /// The least and the greatest number of arguments.
    least: usize,
    most: usize = std.math.maxInt(usize),
    call: *const fn (*Lisp, []const Value) Error!Value,
};

/// The variables of a call or of a `let`, in the scope around it; global ones are in their symbols.
const Scope = struct {
    variables: std.ArrayList(Variable) = .empty,
    outer: ?*Scope,

    const Variable = struct { symbol: *Symbol, value: Value };
};

/// What a special form comes to: a value, or an expression in tail position.
const Outcome = union(enum) {
    value: Value,
    tail: struct { expression: Value, scope: ?*Scope },
};

const Lisp = struct {
    allocator: std.mem.Allocator,
    input: *Io.Reader,
    output: *Io.Writer,
    symbols: std.StringHashMapUnmanaged(*Symbol) = .empty,
    depth: usize = 0,
    line: usize = 1,
    /// What went wrong, after error.Lisp.
    problem: []const u8 = "",
    problem_buffer: [200]u8 = undefined,

    fn init(lisp: *Lisp) Error!void {
        for (std.enums.values(Form)) |form| (try lisp.intern(@tagName(form))).form = form;
        for (&builtins) |*builtin| (try lisp.intern(builtin.name)).global = .{ .builtin = builtin };
    }

    fn fail(lisp: *Lisp, comptime format: []const u8, arguments: anytype) Error {
        var writer: Io.Writer = .fixed(&lisp.problem_buffer);
        writer.print(format, arguments) catch {}; // What does not fit is left out.
        lisp.problem = writer.buffered();
        return error.Lisp;
    }

    fn report(lisp: *Lisp, problem: Error, line: usize, errors: *Io.Writer) Error!void {
        const text = switch (problem) {
            error.Lisp => lisp.problem,
            error.OutOfMemory => "out of memory",
            error.ReadFailed, error.WriteFailed => return problem,
        };
        try lisp.output.flush();
        try errors.print("lisp: line {d}: {s}\n", .{ line, text });
        try errors.flush();
    }

    fn enter(lisp: *Lisp) Error!void {
        if (lisp.depth == max_depth) return lisp.fail("nested too deep", .{});
        lisp.depth += 1;
    }

    fn leave(lisp: *Lisp) void {
        lisp.depth -= 1;
    }

    fn create(lisp: *Lisp, value: anytype) Error!*@TypeOf(value) {
        const pointer = try lisp.allocator.create(@TypeOf(value));
        pointer.* = value;
        return pointer;
    }

    fn cons(lisp: *Lisp, first: Value, rest: Value) Error!Value {
        return .{ .pair = try lisp.create(Pair{ .first = first, .rest = rest }) };
    }

    fn listOf(lisp: *Lisp, values: []const Value, end: Value) Error!Value {
        var list = end;
        var i = values.len;
        while (i > 0) : (i -= 1) list = try lisp.cons(values[i - 1], list);
        return list;
    }

    fn intern(lisp: *Lisp, name: []const u8) Error!*Symbol {
        const entry = try lisp.symbols.getOrPut(lisp.allocator, name);
        if (!entry.found_existing) {
            const own = try lisp.allocator.dupe(u8, name);
            entry.key_ptr.* = own;
            entry.value_ptr.* = try lisp.create(Symbol{ .name = own });
        }
        return entry.value_ptr.*;
    }

    // Reading

    fn peek(lisp: *Lisp) Error!?u8 {
        return lisp.input.peekByte() catch |problem| switch (problem) {
            error.EndOfStream => null,
            error.ReadFailed => error.ReadFailed,
        };
    }

    fn take(lisp: *Lisp) Error!?u8 {
        const byte = try lisp.peek() orelse return null;
        lisp.input.toss(1);
        if (byte == '\n') lisp.line += 1;
        return byte;
    }

    fn skipLine(lisp: *Lisp) Error!void {
        while (try lisp.peek()) |byte| {
            if (byte == '\n') break;
            _ = try lisp.take();
        }
    }

    /// The first byte of what comes after spaces and comments.
    fn peekToken(lisp: *Lisp) Error!?u8 {
        while (try lisp.peek()) |byte| switch (byte) {
            ' ', '\t', '\r', '\n' => _ = try lisp.take(),
            ';' => try lisp.skipLine(),
            else => return byte,
        };
        return null;
    }

    fn read(lisp: *Lisp) Error!Value {
        try lisp.enter();
        defer lisp.leave();
        switch (try lisp.peekToken() orelse return lisp.fail("the input ends within an expression", .{})) {
            '(' => {
                _ = try lisp.take();
                return lisp.readList();
            },
            ')' => {
                _ = try lisp.take();
                return lisp.fail("')' without '('", .{});
            },
            '\'' => {
                _ = try lisp.take();
                const quote: Value = .{ .symbol = try lisp.intern("quote") };
                return lisp.listOf(&.{ quote, try lisp.read() }, .empty_list);
            },
            '"' => {
                _ = try lisp.take();
                return lisp.readString();
            },
            else => return lisp.readAtom(),
        }
    }

    fn readList(lisp: *Lisp) Error!Value {
        var values: std.ArrayList(Value) = .empty;
        while (try lisp.peekToken() != ')') {
            const value = try lisp.read();
            if (value != .symbol or !std.mem.eql(u8, value.symbol.name, ".")) {
                try values.append(lisp.allocator, value);
                continue;
            }
            const rest = try lisp.read();
            if (values.items.len == 0 or try lisp.peekToken() != ')')
                return lisp.fail("'.' must be between two last values", .{});
            _ = try lisp.take();
            return lisp.listOf(values.items, rest);
        }
        _ = try lisp.take();
        return lisp.listOf(values.items, .empty_list);
    }

    fn readString(lisp: *Lisp) Error!Value {
        var string: std.ArrayList(u8) = .empty;
        while (try lisp.take()) |byte| {
            try string.append(lisp.allocator, switch (byte) {
                '"' => return .{ .string = string.items },
                '\\' => switch (try lisp.take() orelse break) {
                    'n' => '\n',
                    't' => '\t',
                    '"' => '"',
                    '\\' => '\\',
                    else => |other| return lisp.fail("there is no escape \\{c}", .{other}),
                },
                else => byte,
            });
        }
        return lisp.fail("a string does not end", .{});
    }

    fn readAtom(lisp: *Lisp) Error!Value {
        var text: std.ArrayList(u8) = .empty;
        while (try lisp.peek()) |byte| switch (byte) {
            ' ', '\t', '\r', '\n', '(', ')', '\'', '"', ';' => break,
            else => try text.append(lisp.allocator, (try lisp.take()).?),
        };
        if (std.mem.eql(u8, text.items, "#t")) return .{ .boolean = true };
        if (std.mem.eql(u8, text.items, "#f")) return .{ .boolean = false };
        const number = lisp.readInteger(text.items) catch
            return lisp.fail("the integer {s} is too large", .{text.items});
        return if (number) |integer| .{ .integer = integer } else .{ .symbol = try lisp.intern(text.items) };
    }

    fn readInteger(_: *Lisp, text: []const u8) error{Overflow}!?i64 {
        const sign = text.len > 1 and (text[0] == '-' or text[0] == '+');
        for (text[@intFromBool(sign)..]) |byte| if (!std.ascii.isDigit(byte)) return null;
        return std.fmt.parseInt(i64, text, 10) catch |problem| switch (problem) {
            error.Overflow => error.Overflow,
            error.InvalidCharacter => null,
        };
    }

    // Evaluation

    fn eval(lisp: *Lisp, whole: Value, around: ?*Scope) Error!Value {
        try lisp.enter();
        defer lisp.leave();
        var expression = whole;
        var scope = around;
        while (true) {
            const call = switch (expression) {
                .symbol => |symbol| return (try lisp.variable(symbol, scope)).*,
                .pair => |pair| pair,
                .empty_list => return lisp.fail("() is no call", .{}),
                else => return expression,
            };
            const form = if (call.first == .symbol) call.first.symbol.form else null;
            const outcome = if (form) |found|
                try lisp.evalForm(found, call.rest, scope)
            else
                try lisp.evalCall(call, scope);
            switch (outcome) {
                .value => |value| return value,
                .tail => |tail| {
                    expression = tail.expression;
                    scope = tail.scope;
                },
            }
        }
    }

    fn evalCall(lisp: *Lisp, call: *const Pair, scope: ?*Scope) Error!Outcome {
        const function = try lisp.eval(call.first, scope);
        var arguments: std.ArrayList(Value) = .empty;
        var rest = call.rest;
        while (rest == .pair) : (rest = rest.pair.rest)
            try arguments.append(lisp.allocator, try lisp.eval(rest.pair.first, scope));
        if (rest != .empty_list) return lisp.fail("a call has a dot", .{});
        return lisp.start(function, arguments.items);
    }

    /// Calls a function up to its tail position.
    fn start(lisp: *Lisp, function: Value, arguments: []const Value) Error!Outcome {
        switch (function) {
            .builtin => |builtin| {
                if (arguments.len < builtin.least or arguments.len > builtin.most)
                    return lisp.fail("{s} got {d} arguments", .{ builtin.name, arguments.len });
                return .{ .value = try builtin.call(lisp, arguments) };
            },
            .lambda => |lambda| {
                const scope = try lisp.create(Scope{ .outer = lambda.scope });
                var parameters = lambda.parameters;
                var i: usize = 0;
                while (parameters == .pair and i < arguments.len) : (i += 1) {
                    try lisp.define(try lisp.symbolIn(parameters.pair.first), arguments[i], scope);
                    parameters = parameters.pair.rest;
                }
                if (parameters == .symbol)
                    try lisp.define(parameters.symbol, try lisp.listOf(arguments[i..], .empty_list), scope)
                else if (parameters == .pair or i < arguments.len)
                    return lisp.fail("{s} got {d} arguments", .{ lambda.name, arguments.len });
                return lisp.evalBody(lambda.body, scope);
            },
            else => return lisp.fail("{f} is no function", .{function}),
        }
    }

    fn apply(lisp: *Lisp, function: Value, arguments: []const Value) Error!Value {
        try lisp.enter();
        defer lisp.leave();
        return switch (try lisp.start(function, arguments)) {
            .value => |value| value,
            .tail => |tail| lisp.eval(tail.expression, tail.scope),
        };
    }

    /// Evaluates the expressions of a list, up to the last one.
    fn evalBody(lisp: *Lisp, body: Value, scope: ?*Scope) Error!Outcome {
        if (body != .pair) return .{ .value = .nothing };
        var rest = body.pair;
        while (rest.rest == .pair) : (rest = rest.rest.pair) _ = try lisp.eval(rest.first, scope);
        return .{ .tail = .{ .expression = rest.first, .scope = scope } };
    }

    fn evalForm(lisp: *Lisp, form: Form, parts: Value, scope: ?*Scope) Error!Outcome {
        switch (form) {
            .quote => return .{ .value = try lisp.part(parts, 0) },
            .begin => return lisp.evalBody(parts, scope),
            .lambda => return .{ .value = try lisp.closure("lambda", try lisp.part(parts, 0), parts.pair.rest, scope) },
            .@"if" => {
                const condition = try lisp.eval(try lisp.part(parts, 0), scope);
                const no_else = parts.pair.rest == .pair and parts.pair.rest.pair.rest == .empty_list;
                if (no_else and !condition.isTrue()) return .{ .value = .nothing };
                const branch = try lisp.part(parts, if (condition.isTrue()) 1 else 2);
                return .{ .tail = .{ .expression = branch, .scope = scope } };
            },
            .cond => {
                var clauses = parts;
                while (clauses == .pair) : (clauses = clauses.pair.rest) {
                    const test_part = try lisp.part(clauses.pair.first, 0);
                    const body = clauses.pair.first.pair.rest;
                    if (test_part == .symbol and std.mem.eql(u8, test_part.symbol.name, "else"))
                        return lisp.evalBody(body, scope);
                    const value = try lisp.eval(test_part, scope);
                    if (value.isTrue())
                        return if (body == .pair) lisp.evalBody(body, scope) else .{ .value = value };
                }
                return .{ .value = .nothing };
            },
            .@"and", .@"or" => {
                if (parts != .pair) return .{ .value = .{ .boolean = form == .@"and" } };
                var rest = parts.pair;
                while (rest.rest == .pair) : (rest = rest.rest.pair) {
                    const value = try lisp.eval(rest.first, scope);
                    if (value.isTrue() == (form == .@"or")) return .{ .value = value };
                }
                return .{ .tail = .{ .expression = rest.first, .scope = scope } };
            },
            .define => {
                const target = try lisp.part(parts, 0);
                if (target == .pair) { // (define (name parameter ...) body ...)
                    const symbol = try lisp.symbolIn(target.pair.first);
                    const function = try lisp.closure(symbol.name, target.pair.rest, parts.pair.rest, scope);
                    try lisp.define(symbol, function, scope);
                } else {
                    const value = try lisp.eval(try lisp.part(parts, 1), scope);
                    try lisp.define(try lisp.symbolIn(target), value, scope);
                }
                return .{ .value = .nothing };
            },
            .@"set!" => {
                const value = try lisp.eval(try lisp.part(parts, 1), scope);
                (try lisp.variable(try lisp.symbolIn(try lisp.part(parts, 0)), scope)).* = value;
                return .{ .value = .nothing };
            },
            .let => return lisp.evalLet(parts, scope),
        }
    }

    /// (let ((name value) ...) body ...); with a name before it, that is a function to call again.
    fn evalLet(lisp: *Lisp, parts: Value, scope: ?*Scope) Error!Outcome {
        const name = try lisp.part(parts, 0);
        const is_named = name == .symbol;
        var parameters: std.ArrayList(Value) = .empty;
        var arguments: std.ArrayList(Value) = .empty;
        var bindings = try lisp.part(parts, @intFromBool(is_named));
        while (bindings == .pair) : (bindings = bindings.pair.rest) {
            try parameters.append(lisp.allocator, try lisp.part(bindings.pair.first, 0));
            const value = try lisp.part(bindings.pair.first, 1);
            try arguments.append(lisp.allocator, try lisp.eval(value, scope));
        }
        if (bindings != .empty_list) return lisp.fail("let needs a list of names and values", .{});

        const inner = if (is_named) try lisp.create(Scope{ .outer = scope }) else scope;
        const body = if (is_named) parts.pair.rest.pair.rest else parts.pair.rest;
        const list = try lisp.listOf(parameters.items, .empty_list);
        const function = try lisp.closure(if (is_named) name.symbol.name else "let", list, body, inner);
        if (is_named) try lisp.define(name.symbol, function, inner);
        return lisp.start(function, arguments.items);
    }

    fn closure(lisp: *Lisp, name: []const u8, parameters: Value, body: Value, scope: ?*Scope) Error!Value {
        var rest = parameters;
        while (rest == .pair) : (rest = rest.pair.rest) _ = try lisp.symbolIn(rest.pair.first);
        if (rest != .empty_list) _ = try lisp.symbolIn(rest);
        const lambda: Lambda = .{ .name = name, .parameters = parameters, .body = body, .scope = scope };
        return .{ .lambda = try lisp.create(lambda) };
    }

    fn define(lisp: *Lisp, symbol: *Symbol, value: Value, inner: ?*Scope) Error!void {
        const scope = inner orelse {
            symbol.global = value;
            return;
        };
        for (scope.variables.items) |*variable_here| if (variable_here.symbol == symbol) {
            variable_here.value = value;
            return;
        };
        try scope.variables.append(lisp.allocator, .{ .symbol = symbol, .value = value });
    }

    fn variable(lisp: *Lisp, symbol: *Symbol, inner: ?*Scope) Error!*Value {
        var next = inner;
        while (next) |scope| : (next = scope.outer)
            for (scope.variables.items) |*found| if (found.symbol == symbol) return &found.value;
        return if (symbol.global) |*value| value else lisp.fail("{s} is not defined", .{symbol.name});
    }

    /// Part of a special form, from 0.
    fn part(lisp: *Lisp, parts: Value, index: usize) Error!Value {
        var rest = parts;
        for (0..index) |_| if (rest == .pair) {
            rest = rest.pair.rest;
        };
        return if (rest == .pair) rest.pair.first else lisp.fail("a special form lacks a part", .{});
    }

    // What has to be of a type

    fn symbolIn(lisp: *Lisp, value: Value) Error!*Symbol {
        if (value != .symbol) return lisp.fail("{f} is no name", .{value});
        if (value.symbol.form != null) return lisp.fail("{f} is a special form", .{value});
        return value.symbol;
    }

    fn integerIn(lisp: *Lisp, value: Value) Error!i64 {
        return if (value == .integer) value.integer else lisp.fail("{f} is no integer", .{value});
    }

    fn stringIn(lisp: *Lisp, value: Value) Error![]const u8 {
        return if (value == .string) value.string else lisp.fail("{f} is no string", .{value});
    }

    fn pairIn(lisp: *Lisp, value: Value) Error!*const Pair {
        return if (value == .pair) value.pair else lisp.fail("{f} is no pair", .{value});
    }

    fn itemsIn(lisp: *Lisp, list: Value) Error![]const Value {
        var items: std.ArrayList(Value) = .empty;
        var rest = list;
        while (rest == .pair) : (rest = rest.pair.rest) try items.append(lisp.allocator, rest.pair.first);
        return if (rest == .empty_list) items.items else lisp.fail("{f} is no list", .{list});
    }

    fn isEqual(lisp: *Lisp, a: Value, b: Value) Error!bool {
        try lisp.enter();
        defer lisp.leave();
        var left = a;
        var right = b;
        while (left == .pair and right == .pair) {
            if (!try lisp.isEqual(left.pair.first, right.pair.first)) return false;
            left = left.pair.rest;
            right = right.pair.rest;
        }
        if (left == .string and right == .string) return std.mem.eql(u8, left.string, right.string);
        return std.meta.eql(left, right);
    }
};

const builtins = [_]Builtin{
    .{ .name = "+", .least = 0, .call = arithmetic(.@"+") },
    .{ .name = "-", .least = 1, .call = arithmetic(.@"-") },
    .{ .name = "*", .least = 0, .call = arithmetic(.@"*") },
    .{ .name = "quotient", .least = 2, .most = 2, .call = arithmetic(.quotient) },
    .{ .name = "remainder", .least = 2, .most = 2, .call = arithmetic(.remainder) },
    .{ .name = "=", .least = 1, .call = comparison(.eq) },
    .{ .name = "<", .least = 1, .call = comparison(.lt) },
    .{ .name = ">", .least = 1, .call = comparison(.gt) },
    .{ .name = "<=", .least = 1, .call = comparison(.lte) },
    .{ .name = ">=", .least = 1, .call = comparison(.gte) },
    .{ .name = "integer?", .least = 1, .most = 1, .call = isOf(&.{.integer}) },
    .{ .name = "string?", .least = 1, .most = 1, .call = isOf(&.{.string}) },
    .{ .name = "symbol?", .least = 1, .most = 1, .call = isOf(&.{.symbol}) },
    .{ .name = "boolean?", .least = 1, .most = 1, .call = isOf(&.{.boolean}) },
    .{ .name = "pair?", .least = 1, .most = 1, .call = isOf(&.{.pair}) },
    .{ .name = "null?", .least = 1, .most = 1, .call = isOf(&.{.empty_list}) },
    .{ .name = "procedure?", .least = 1, .most = 1, .call = isOf(&.{ .builtin, .lambda }) },
    .{ .name = "not", .least = 1, .most = 1, .call = not },
    .{ .name = "equal?", .least = 2, .most = 2, .call = equal },
    .{ .name = "cons", .least = 2, .most = 2, .call = cons },
    .{ .name = "car", .least = 1, .most = 1, .call = car },
    .{ .name = "cdr", .least = 1, .most = 1, .call = cdr },
    .{ .name = "list", .least = 0, .call = makeList },
    .{ .name = "length", .least = 1, .most = 1, .call = length },
    .{ .name = "append", .least = 0, .call = append },
    .{ .name = "reverse", .least = 1, .most = 1, .call = reverse },
    .{ .name = "map", .least = 2, .most = 2, .call = map },
    .{ .name = "filter", .least = 2, .most = 2, .call = filter },
    .{ .name = "apply", .least = 2, .most = 2, .call = applyTo },
    .{ .name = "string-length", .least = 1, .most = 1, .call = stringLength },
    .{ .name = "string-append", .least = 0, .call = stringAppend },
    .{ .name = "substring", .least = 3, .most = 3, .call = substring },
    .{ .name = "number->string", .least = 1, .most = 1, .call = numberToString },
    .{ .name = "string->number", .least = 1, .most = 1, .call = stringToNumber },
    .{ .name = "display", .least = 1, .most = 1, .call = display },
    .{ .name = "write", .least = 1, .most = 1, .call = write },
    .{ .name = "newline", .least = 0, .most = 0, .call = newline },
    .{ .name = "error", .least = 1, .call = raise },
};

const Function = fn (*Lisp, []const Value) Error!Value;
const Operation = enum { @"+", @"-", @"*", quotient, remainder };

fn arithmetic(comptime operation: Operation) Function {
    return struct {
        fn combine(a: i64, b: i64) error{ Overflow, DivisionByZero }!i64 {
            return switch (operation) {
                .@"+" => std.math.add(i64, a, b),
                .@"-" => std.math.sub(i64, a, b),
                .@"*" => std.math.mul(i64, a, b),
                .quotient => std.math.divTrunc(i64, a, b),
                .remainder => if (b == 0) error.DivisionByZero else if (b == -1) 0 else @rem(a, b),
            };
        }

        fn call(lisp: *Lisp, arguments: []const Value) Error!Value {
            // (- a) is 0 - a, (+) is 0 and (*) is 1.
            const starts_with_first = arguments.len > 1;
            var result: i64 = if (starts_with_first)
                try lisp.integerIn(arguments[0])
            else if (operation == .@"*") 1 else 0;
            for (arguments[@intFromBool(starts_with_first)..]) |argument|
                result = combine(result, try lisp.integerIn(argument)) catch |problem| switch (problem) {
                    error.Overflow => return lisp.fail("{t}: the result is too large", .{operation}),
                    error.DivisionByZero => return lisp.fail("{t}: division by 0", .{operation}),
                };
            return .{ .integer = result };
        }
    }.call;
}

fn comparison(comptime operator: std.math.CompareOperator) Function {
    return struct {
        fn call(lisp: *Lisp, arguments: []const Value) Error!Value {
            var holds = true;
            var previous = try lisp.integerIn(arguments[0]);
            for (arguments[1..]) |argument| {
                const next = try lisp.integerIn(argument);
                holds = holds and std.math.compare(previous, operator, next);
                previous = next;
            }
            return .{ .boolean = holds };
        }
    }.call;
}

fn isOf(comptime types: []const std.meta.Tag(Value)) Function {
    return struct {
        fn call(_: *Lisp, arguments: []const Value) Error!Value {
            return .{ .boolean = std.mem.findScalar(std.meta.Tag(Value), types, arguments[0]) != null };
        }
    }.call;
}

fn not(_: *Lisp, arguments: []const Value) Error!Value {
    return .{ .boolean = !arguments[0].isTrue() };
}

fn equal(lisp: *Lisp, arguments: []const Value) Error!Value {
    return .{ .boolean = try lisp.isEqual(arguments[0], arguments[1]) };
}

fn cons(lisp: *Lisp, arguments: []const Value) Error!Value {
    return lisp.cons(arguments[0], arguments[1]);
}

fn car(lisp: *Lisp, arguments: []const Value) Error!Value {
    return (try lisp.pairIn(arguments[0])).first;
}

fn cdr(lisp: *Lisp, arguments: []const Value) Error!Value {
    return (try lisp.pairIn(arguments[0])).rest;
}

fn makeList(lisp: *Lisp, arguments: []const Value) Error!Value {
    return lisp.listOf(arguments, .empty_list);
}

fn length(lisp: *Lisp, arguments: []const Value) Error!Value {
    return .{ .integer = @intCast((try lisp.itemsIn(arguments[0])).len) };
}

fn append(lisp: *Lisp, arguments: []const Value) Error!Value {
    var result: Value = .empty_list;
    var i = arguments.len;
    while (i > 0) : (i -= 1) result = try lisp.listOf(try lisp.itemsIn(arguments[i - 1]), result);
    return result;
}

fn reverse(lisp: *Lisp, arguments: []const Value) Error!Value {
    var result: Value = .empty_list;
    for (try lisp.itemsIn(arguments[0])) |item| result = try lisp.cons(item, result);
    return result;
}

fn map(lisp: *Lisp, arguments: []const Value) Error!Value {
    var results: std.ArrayList(Value) = .empty;
    for (try lisp.itemsIn(arguments[1])) |item|
        try results.append(lisp.allocator, try lisp.apply(arguments[0], &.{item}));
    return lisp.listOf(results.items, .empty_list);
}

fn filter(lisp: *Lisp, arguments: []const Value) Error!Value {
    var results: std.ArrayList(Value) = .empty;
    for (try lisp.itemsIn(arguments[1])) |item|
        if ((try lisp.apply(arguments[0], &.{item})).isTrue()) try results.append(lisp.allocator, item);
    return lisp.listOf(results.items, .empty_list);
}

fn applyTo(lisp: *Lisp, arguments: []const Value) Error!Value {
    return lisp.apply(arguments[0], try lisp.itemsIn(arguments[1]));
}

fn stringLength(lisp: *Lisp, arguments: []const Value) Error!Value {
    return .{ .integer = @intCast((try lisp.stringIn(arguments[0])).len) };
}

fn stringAppend(lisp: *Lisp, arguments: []const Value) Error!Value {
    var string: std.ArrayList(u8) = .empty;
    for (arguments) |argument| try string.appendSlice(lisp.allocator, try lisp.stringIn(argument));
    return .{ .string = string.items };
}

fn substring(lisp: *Lisp, arguments: []const Value) Error!Value {
    const string = try lisp.stringIn(arguments[0]);
    const from = try lisp.integerIn(arguments[1]);
    const to = try lisp.integerIn(arguments[2]);
    if (from < 0 or to < from or to > string.len)
        return lisp.fail("substring: there is no part {d} to {d}", .{ from, to });
    return .{ .string = string[@intCast(from)..@intCast(to)] };
}

fn numberToString(lisp: *Lisp, arguments: []const Value) Error!Value {
    return .{ .string = try std.fmt.allocPrint(lisp.allocator, "{d}", .{try lisp.integerIn(arguments[0])}) };
}

/// #f if the string is no integer that fits.
fn stringToNumber(lisp: *Lisp, arguments: []const Value) Error!Value {
    const number = lisp.readInteger(try lisp.stringIn(arguments[0])) catch null;
    return if (number) |integer| .{ .integer = integer } else .{ .boolean = false };
}

fn display(lisp: *Lisp, arguments: []const Value) Error!Value {
    try arguments[0].show(lisp.output);
    return .nothing;
}

fn write(lisp: *Lisp, arguments: []const Value) Error!Value {
    try lisp.output.print("{f}", .{arguments[0]});
    return .nothing;
}

fn newline(lisp: *Lisp, _: []const Value) Error!Value {
    try lisp.output.writeByte('\n');
    return .nothing;
}

/// Fails with the values, as `display` prints them.
fn raise(lisp: *Lisp, arguments: []const Value) Error!Value {
    var writer: Io.Writer = .fixed(&lisp.problem_buffer);
    for (arguments, 0..) |argument, i| {
        if (i > 0) writer.writeByte(' ') catch break;
        argument.show(&writer) catch break; // What does not fit is left out.
    }
    lisp.problem = writer.buffered();
    return error.Lisp;
}

pub fn main(init: std.process.Init) !u8 {
    var input_buffer: [4096]u8 = undefined;
    var output_buffer: [4096]u8 = undefined;
    var error_buffer: [256]u8 = undefined;
    var input = Io.File.stdin().readerStreaming(init.io, &input_buffer);
    var output = Io.File.stdout().writerStreaming(init.io, &output_buffer);
    var errors = Io.File.stderr().writerStreaming(init.io, &error_buffer);
    const interactive = try Io.File.stdin().isTty(init.io);

    if ((try init.minimal.args.toSlice(init.arena.allocator())).len > 1) {
        try errors.interface.writeAll("usage: lisp < PROGRAM\n");
        try errors.interface.flush();
        return 2;
    }

    var lisp: Lisp = .{
        .allocator = init.arena.allocator(),
        .input = &input.interface,
        .output = &output.interface,
    };
    try lisp.init();
    var status: u8 = 0;
    while (true) {
        if (interactive) {
            try output.interface.writeAll("> ");
            try output.interface.flush();
        }
        if (try lisp.peekToken() == null) break;

        const line = lisp.line;
        const expression = lisp.read() catch |problem| {
            status = 1;
            try lisp.report(problem, line, &errors.interface);
            // What follows makes no sense in a file, but a person begins anew.
            if (!interactive) break;
            try lisp.skipLine();
            continue;
        };
        const value = lisp.eval(expression, null) catch |problem| {
            status = 1;
            try lisp.report(problem, line, &errors.interface);
            continue;
        };
        if (value != .nothing) try output.interface.print("{f}\n", .{value});
    }
    if (interactive) try output.interface.writeByte('\n');
    try output.interface.flush();
    return status;
}
