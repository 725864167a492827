-- Closures, metatables, strings, patterns, integers and floats. Not errors and coroutines: Lua does these by longjmp, which
-- in this build is an exception of JavaScript.
local function memoize(f)
  local cache = {}
  return function(n)
    local v = cache[n]
    if v == nil then v = f(n); cache[n] = v end
    return v
  end
end
local fib
fib = memoize(function(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end)
print(fib(80), math.maxinteger + 1 == math.mininteger, 7 // 2, 7 / 2, -7 % 3, 2 ^ 0.5, 1e100, 0x1p-2)

local Vector = {}
Vector.__index = Vector
Vector.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Vector) end
Vector.__tostring = function(v) return string.format("(%g, %.2f)", v.x, v.y) end
Vector.__eq = function(a, b) return a.x == b.x and a.y == b.y end
Vector.__call = function(self, k) return self.x * k end
Vector.__close = function() print("closed") end
local v = setmetatable({ x = 1, y = 2.5 }, Vector)
do local scoped <close> = v; print(tostring(v + v), v == setmetatable({ x = 1, y = 2.5 }, Vector), v(10)) end

for word, n in ("one=1, two=22, three=333"):gmatch("(%a+)=(%d+)") do io.write(word, ":", #n, " ") end
print(("hello world"):gsub("o", { o = "0" }), ("%5.1f|%-5d|%q"):format(3.14159, 42, 'a\n"b"'), ("x"):rep(3, ","))
print(utf8.char(228, 8364, 128512), utf8.len("äb€"), ("\u{7FF}"):byte(1, -1))

local function each(n) local i = 0; return function() i = i + 1; if i <= n then return i * i end end end
for square in each(4) do io.write(square, " ") end
print(next({}), rawlen({ 1, 2 }), rawequal(v, v))

local t = {}
for i = 1, 10 do t[#t + 1] = (i * 7919) % 31 end
table.sort(t, function(a, b) return a > b end)
print(table.concat(t, " "), select("#", table.unpack(t)), #table.pack(1, nil, 3))
goto done
print("skipped")
::done::
print(pcall(function(...) return ..., "inside pcall" end, 1, 2), load("return 1 + 1")(), string.pack("<i4", -2):byte(1, -1))
print(math.type(1), math.type(1.0), math.tointeger(3.0), tostring(1e15), 10 // 0.0, -0.0, 3 | 4 ~ 1, "10" + 5, 1 < 1.5)
