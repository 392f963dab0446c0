/* quickjs.c: the QuickJS interpreter: classes, closures, arrays, JSON, regular expressions, exceptions. */
#include <quickjs.h>
#include <string.h>

#include "program.h"

static const char script[] =
    "function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }\n"
    "class Shape { constructor(a, b) { this.a = a; this.b = b } area() { return this.a * this.b } }\n"
    "class Square extends Shape { constructor(a) { super(a, a) } area() { return super.area() + 1 } }\n"
    "function round(seed) {\n"
    "  let sum = fib(14), items = [];\n"
    "  for (let i = 0; i < 60; i++) {\n"
    "    seed = (Math.imul(seed, 1103515245) + 12345) >>> 1;\n"
    "    items.push({ id: i, key: seed.toString(36), shape: i % 2 ? new Shape(i, seed % 9) : new Square(i) });\n"
    "  }\n"
    "  items.sort((x, y) => x.key < y.key ? -1 : 1);\n"
    "  sum += items.map(x => x.shape.area()).filter(x => x % 3).reduce((a, b) => a + b, 0);\n"
    "  const text = JSON.stringify(items), back = JSON.parse(text);\n"
    "  for (const { id, key } of back) sum += id * key.length;\n"
    "  sum += text.replace(/\"(\\w+)\":(\\d+)/g, (_, a, b) => b + a).split('k').length;\n"
    "  for (let i = 0; i < 30; i++) { try { if (i % 3 == 0) throw new Error('e' + i); sum += i }\n"
    "    catch (e) { sum += e.message.length } }\n"
    "  const counts = new Map();\n"
    "  for (const c of text) counts.set(c, (counts.get(c) ?? 0) + 1);\n"
    "  return (sum + [...counts.values()].reduce((a, b) => a ^ b, 0)) | 0;\n"
    "}\n";

static _Noreturn void fail(JSContext *js)
{
    const char *why = JS_ToCString(js, JS_GetException(js));
    program_fail("quickjs", why ? why : "an exception");
}

uint64_t program_run(int rounds)
{
    JSRuntime *runtime = JS_NewRuntime();
    JSContext *js = runtime ? JS_NewContext(runtime) : NULL;
    uint64_t sum = PROGRAM_SUM;
    if (!js)
        program_fail("quickjs", "no memory");
    JS_SetMaxStackSize(runtime, 0); /* its own check compares addresses of one stack */
    JSValue done = JS_Eval(js, script, strlen(script), "program", JS_EVAL_TYPE_GLOBAL);
    if (JS_IsException(done))
        fail(js);
    JS_FreeValue(js, done);
    JSValue global = JS_GetGlobalObject(js), function = JS_GetPropertyStr(js, global, "round");
    for (int i = 0; i < rounds; i++) {
        JSValue seed = JS_NewInt32(js, i + 1);
        JSValue result = JS_Call(js, function, global, 1, &seed);
        int32_t value = 0;
        if (JS_IsException(result) || JS_ToInt32(js, &value, result))
            fail(js);
        sum = program_fold(sum, (uint32_t)value);
        JS_FreeValue(js, result);
    }
    JS_FreeValue(js, function);
    JS_FreeValue(js, global);
    JS_FreeContext(js);
    JS_FreeRuntime(runtime);
    return sum;
}
