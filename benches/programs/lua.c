/* lua.c: the Lua interpreter: calls, closures, tables, strings, sorting, errors that are caught. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "program.h"

static const char *const script =
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
    "local Shape = {} Shape.__index = Shape\n"
    "function Shape.new(a, b) return setmetatable({ a = a, b = b }, Shape) end\n"
    "function Shape:area() return self.a * self.b end\n"
    "local function words(seed)\n"
    "  local t = {}\n"
    "  for i = 1, 60 do\n"
    "    seed = (seed * 1103515245 + 12345) % 2147483648\n"
    "    t[i] = string.format('%x-%d', seed, i)\n"
    "  end\n"
    "  table.sort(t, function(x, y) return x:reverse() < y:reverse() end)\n"
    "  return table.concat(t, ',')\n"
    "end\n"
    "function round(seed)\n"
    "  local sum = fib(16)\n"
    "  for i = 1, 300 do sum = sum + Shape.new(i, seed % 7):area() end\n"
    "  local text = words(seed)\n"
    "  for w in text:gmatch('[^,]+') do sum = sum + #w * (w:byte(1) or 0) end\n"
    "  sum = sum + select(2, text:gsub('(%x)%-(%d)', '%2%1'))\n"
    "  for i = 1, 60 do\n"
    "    local ok, e = pcall(function() if i % 3 == 0 then error({ i }) end return i end)\n"
    "    sum = sum + (ok and e or e[1] * 2)\n"
    "  end\n"
    "  local co = coroutine.wrap(function() for i = 1, 80 do coroutine.yield(i) end return 0 end)\n"
    "  for i = 1, 80 do sum = sum + co() end\n"
    "  return sum\n"
    "end\n";

uint64_t program_run(int rounds)
{
    lua_State *lua = luaL_newstate();
    uint64_t sum = PROGRAM_SUM;
    if (!lua)
        program_fail("lua", "no memory");
    luaL_openlibs(lua);
    if (luaL_dostring(lua, script))
        program_fail("lua", lua_tostring(lua, -1));
    for (int i = 0; i < rounds; i++) {
        lua_getglobal(lua, "round");
        lua_pushinteger(lua, i + 1);
        if (lua_pcall(lua, 1, 1, 0))
            program_fail("lua", lua_tostring(lua, -1));
        sum = program_fold(sum, (uint64_t)lua_tointeger(lua, -1));
        lua_pop(lua, 1);
    }
    lua_close(lua);
    return sum;
}
