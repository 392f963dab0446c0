%% erlbench measures Erlang's processes as gosbench measures its contenders: same options, same work, same rows
%% (results/README.md). The script `erlbench` beside it starts the virtual machine.
-module(erlbench).
-export([main/0, waits/1]).

-define(SAMPLE_NS, 10000000).
-define(WARM_UP_NS, 5000000).
-define(PILOT_OPS, 1000).
-define(CHILDREN, 10).
-define(FAN, 100).
-define(FAN_ROOM, 64).
-define(FRAME, 64). % bytes of the others' calls
-define(WARM_CALLS, 200000).
-define(STEPS, 700).
-define(SLEEPS, [{50000, 201}, {100000, 201}, {1000000, 101}, {10000000, 21}]).
-define(LEAST_NS, 2000000000).
-define(SPREAD_NS, 1000000000).

main() ->
    Options = maps:from_list([parse(Word) || Word <- init:get_plain_arguments()]),
    Ok = try run(option("case", Options, ""), Options)
         catch throw:{usage, Words} -> complain(Words), halt(2) end,
    halt(case Ok of true -> 0; false -> 1 end).

run("memory", O) -> memory(O);
run("spawn", O) -> spawn_case(O);
run("yield", O) -> timed_pairs(O, "", fun yield_pair/1);
run("handover", O) ->
    Variant = case number("threads", O, 1) of 1 -> "same"; _ -> "across" end,
    timed_pairs(O, Variant, fun handover/1);
run("scale", O) -> scale(O);
run("descent", O) -> descent(O);
run("lateness", O) -> lateness(O);
run("timers", O) -> timers(O);
run(_, _) -> throw({usage, "--case is one of descent, handover, lateness, memory, scale, spawn, timers, yield"}).

tuned(O) -> option("contender", O, "erlang") =:= "erlang-tuned".

parse("--lockstep") -> {"lockstep", "yes"};
parse("--" ++ Word) ->
    case string:split(Word, "=") of
        [Name, Value] -> {Name, Value};
        _ -> complain("'--" ++ Word ++ "': options are --NAME=VALUE"), halt(2)
    end;
parse(Word) -> complain("'" ++ Word ++ "': options are --NAME=VALUE"), halt(2).

option(Name, Options, Default) -> maps:get(Name, Options, Default).

number(Name, Options, Default) ->
    case maps:find(Name, Options) of
        error -> Default;
        {ok, Text} ->
            try list_to_integer(Text)
            catch error:badarg -> throw({usage, "--" ++ Name ++ "=" ++ Text ++ ": use a whole number"}) end
    end.

%% Before a repetition (docs/ADDING-A-CONTENDER.md). False: no more are wanted.
turn_comes(O) ->
    case option("lockstep", O, "no") of
        "no" -> true;
        "yes" -> io:put_chars("ready\n"), is_list(io:get_line(""))
    end.

complain(Words) -> io:format(standard_error, "erlbench: ~s~n", [Words]).

%% ---- rows ----------------------------------------------------------------------------------------------------------

row(O, Variant, N, Rep, Metric, Value, Units, Ops) ->
    put_row(O, Variant, N, Rep, Metric, io_lib:format("~w", [Value]), Units, Ops, "ok", "").

%% A distribution: its median as the value, all of it beside.
samples(O, Variant, N, Rep, Metric, Samples, Units) ->
    Words = lists:join(",", [integer_to_list(Sample) || Sample <- Samples]),
    Value = io_lib:format("~w,\"samples\":[~s]", [lists:nth((length(Samples) + 1) div 2, lists:sort(Samples)), Words]),
    put_row(O, Variant, N, Rep, Metric, Value, Units, length(Samples), "ok", "").

fail(O, Variant, Metric, Why) ->
    complain("FAILED: " ++ option("case", O, "") ++ ": " ++ Why),
    put_row(O, Variant, number("n", O, 0), 0, Metric, "null", {0, 0}, 0, "failed", Why),
    false.

put_row(O, Variant, N, Rep, Metric, Value, {Asked, Made}, Ops, Status, Why) ->
    Line = io_lib:format("{\"case\":\"~s\",\"contender\":\"~s\",\"variant\":\"~s\",\"n\":~w,\"threads\":~w,"
                         "\"launch\":~w,\"rep\":~w,\"metric\":\"~s\",\"value\":~s,\"units_asked\":~w,"
                         "\"units_made\":~w,\"ops\":~w,\"status\":\"~s\",\"why\":\"~s\"~s}~n",
                         [option("case", O, ""), option("contender", O, "erlang"), Variant, N, number("threads", O, 1), number("launch", O, 0), Rep,
                          Metric, Value, Asked, Made, Ops, Status, Why, depth_field(O)]),
    case option("rows", O, "") of
        "" -> io:put_chars(Line);
        Path -> ok = file:write_file(Path, Line, [append])
    end.

depth_field(O) ->
    case number("depth", O, 0) of 0 -> ""; Depth -> io_lib:format(",\"depth\":~w", [Depth]) end.

stamp() -> erlang:monotonic_time(nanosecond).

%% ---- memory --------------------------------------------------------------------------------------------------------

%% Says that memory may be read now, and waits until it has been (results/README.md, memory).
stop() ->
    io:put_chars("stop\n"),
    io:get_line("").

%% The tuned one gives the heap back while it waits, and starts again from nothing.
parked(Parent, Ran, Tuned) ->
    counters:add(Ran, 1, 1),
    Parent ! arrived,
    case Tuned of
        true -> erlang:hibernate(?MODULE, waits, [Parent]);
        false -> waits(Parent)
    end.

waits(Parent) -> receive go_on -> Parent ! finished end.

wait_for(_, 0) -> ok;
wait_for(What, N) -> receive What -> wait_for(What, N - 1) end.

memory(O) ->
    N = number("n", O, 1000),
    Ran = counters:new(1, [atomics]),
    stop(),
    Units = spawn_parked(N, self(), Ran, tuned(O), []),
    wait_for(arrived, N),
    stop(),
    lists:foreach(fun(Unit) -> Unit ! go_on end, Units),
    wait_for(finished, N),
    stop(),
    Made = counters:get(Ran, 1),
    row(O, "", N, 0, "units", Made, {N, Made}, 0),
    true.

spawn_parked(0, _, _, _, Units) -> Units;
spawn_parked(N, Parent, Ran, Tuned, Units) ->
    Unit = spawn(fun() -> parked(Parent, Ran, Tuned) end),
    spawn_parked(N - 1, Parent, Ran, Tuned, [Unit | Units]).

%% ---- spawn ---------------------------------------------------------------------------------------------------------

mark(Marks, I, Left, Parent) ->
    counters:add(Marks, I, 1),
    case atomics:sub_get(Left, 1, 1) of 0 -> Parent ! all_done; _ -> ok end.

spawn_marking(0, _, _, _) -> ok;
spawn_marking(I, Marks, Left, Parent) ->
    spawn(fun() -> mark(Marks, I, Left, Parent) end),
    spawn_marking(I - 1, Marks, Left, Parent).

%% Nanoseconds for one round, and how many did their work.
spawn_round(N) ->
    Marks = counters:new(N, [atomics]),
    Left = atomics:new(1, []),
    atomics:put(Left, 1, N),
    From = stamp(),
    spawn_marking(N, Marks, Left, self()),
    receive all_done -> ok end,
    Ns = stamp() - From,
    {Ns, lists:sum([counters:get(Marks, I) || I <- lists:seq(1, N)])}.

spawn_warm(N, Until, Rounds) ->
    case stamp() < Until of
        true -> spawn_round(N), spawn_warm(N, Until, Rounds + 1);
        false -> Rounds
    end.

spawn_case(O) ->
    N = number("n", O, 1000),
    lists:all(fun(Rep) -> not turn_comes(O) orelse spawn_rep(O, N, Rep) end, lists:seq(0, number("reps", O, 5))).

spawn_rep(O, N, Rep) ->
    {Variant, Rounds} = case Rep of 0 -> {"cold", 0}; _ -> {"warm", spawn_warm(N, stamp() + ?WARM_UP_NS, 0)} end,
    case spawn_round(N) of
        {Ns, N} ->
            Units = N * (Rounds + 1),
            row(O, Variant, N, max(0, Rep - 1), "ns_per_op", Ns / N, {Units, Units}, N),
            true;
        {_, Ran} ->
            fail(O, Variant, "ns_per_op", io_lib:format("~w of ~w units did their work", [Ran, N]))
    end.

%% ---- two processes -------------------------------------------------------------------------------------------------

timed_pairs(O, Variant, Pair) ->
    N = case number("n", O, 0) of
            0 -> {Pilot, _} = Pair(?PILOT_OPS), max(?PILOT_OPS, ?SAMPLE_NS * ?PILOT_OPS div (Pilot + 1));
            Given -> Given
        end,
    lists:all(fun(Rep) -> not turn_comes(O) orelse timed_pair(O, Variant, N, Rep - 1, Pair(N)) end,
              lists:seq(1, number("reps", O, 5))).

timed_pair(O, Variant, _, _, {_, 0}) -> fail(O, Variant, "ns_per_op", "the units counted no operation");
timed_pair(O, Variant, N, Rep, {Ns, Ops}) ->
    row(O, Variant, 2 * N, Rep, "ns_per_op", Ns / Ops, {2, 2}, Ops),
    true.

%% Shared words: who ran last, sides started, sides ended, begin, end.
yield_pair(N) ->
    Shared = atomics:new(5, []),
    Self = self(),
    [spawn(fun() -> Self ! {passed, yield_side(Shared, Me, N)} end) || Me <- [1, 2]],
    Passed = lists:sum([receive {passed, Mine} -> Mine end || _ <- [1, 2]]),
    {atomics:get(Shared, 5) - atomics:get(Shared, 4), Passed}.

yield_side(Shared, Me, N) ->
    yield_warm(stamp() + ?WARM_UP_NS),
    atomics:add(Shared, 2, 1),
    yield_until_both(Shared),
    atomics:compare_exchange(Shared, 4, 0, stamp()),
    Mine = yield_times(Shared, Me, N, 0),
    case atomics:add_get(Shared, 3, 1) of 1 -> atomics:put(Shared, 5, stamp()); _ -> ok end,
    Mine.

yield_warm(Until) ->
    case stamp() < Until of true -> erlang:yield(), yield_warm(Until); false -> ok end.

yield_until_both(Shared) ->
    case atomics:get(Shared, 2) of 2 -> ok; _ -> erlang:yield(), yield_until_both(Shared) end.

yield_times(_, _, 0, Mine) -> Mine;
yield_times(Shared, Me, N, Mine) ->
    Passed = case atomics:get(Shared, 1) of Me -> 0; _ -> atomics:put(Shared, 1, Me), 1 end,
    erlang:yield(),
    yield_times(Shared, Me, N - 1, Mine + Passed).

pong(Words) ->
    receive
        {From, game_over} -> From ! {words, Words};
        {From, Word} -> From ! {word, Word + 1}, pong(Words + 1)
    end.

ping(_, Words, Words, Errors) -> Errors;
ping(Other, I, Words, Errors) ->
    Other ! {self(), I},
    receive {word, Word} -> ping(Other, I + 1, Words, Errors + case Word of _ when Word =:= I + 1 -> 0; _ -> 1 end) end.

ping_warm(Other, Until, Words) ->
    case stamp() < Until of
        true -> 0 = ping(Other, 0, 64, 0), ping_warm(Other, Until, Words + 64);
        false -> Words
    end.

%% Messages: a process has one mailbox without a bound, and no rendezvous.
handover(N) ->
    Self = self(),
    spawn(fun() ->
              Other = spawn(fun() -> pong(0) end),
              Warm = ping_warm(Other, stamp() + ?WARM_UP_NS, 0),
              From = stamp(),
              Errors = ping(Other, 0, N, 0),
              Ns = stamp() - From,
              Other ! {self(), game_over},
              Words = receive {words, All} -> All - Warm end,
              Self ! {handed, Ns, case Errors of 0 -> N + Words; _ -> 0 end}
          end),
    receive {handed, Ns, Ops} -> {Ns, Ops} end.

%% ---- skynet: each process sends its sum to its parent ---------------------------------------------------------------

skynet(Parent, First, 1) -> Parent ! {sum, First};
skynet(Parent, First, Size) ->
    Below = Size div ?CHILDREN,
    Self = self(),
    [spawn(fun() -> skynet(Self, First + I * Below, Below) end) || I <- lists:seq(0, ?CHILDREN - 1)],
    Parent ! {sum, gather(?CHILDREN, 0)}.

gather(0, Sum) -> Sum;
gather(N, Sum) -> receive {sum, Part} -> gather(N - 1, Sum + Part) end.

skynet(N) ->
    Self = self(),
    spawn(fun() -> skynet(Self, 0, N) end),
    gather(1, 0).

units(1) -> 1;
units(N) -> N + units(N div ?CHILDREN).

program_warm(Run, Until) ->
    case stamp() < Until of true -> Run(), program_warm(Run, Until); false -> ok end.

scale(O) ->
    N = number("n", O, 0),
    lists:all(fun(Rep) -> scale_rep(O, program(option("variant", O, ""), N), Rep - 1) end,
              lists:seq(1, number("reps", O, 5))).

%% {name, size, one run, its result, operations}
program("skynet-chan", 0) -> program("skynet-chan", 1000000);
program("skynet-chan", N) -> {"skynet-chan", N, fun() -> skynet(N) end, N * (N - 1) div 2, units(N)};
program("fan", 0) -> program("fan", 100000);
program("fan", N) -> {"fan", N, fun() -> fan(N) end, N * (N + 1) div 2, N};
program(_, _) -> throw({usage, "--case=scale --variant: use skynet-chan or fan"}).

%% No queue is shared and none has a bound: words go round, and as many are under way as channels elsewhere hold.
fan(N) ->
    Self = self(),
    Units = list_to_tuple([spawn(fun() -> fan_unit(Self) end) || _ <- lists:seq(1, ?FAN)]),
    fan_feed(0, min(N, ?FAN_ROOM), Units),
    Sum = fan_gather(0, N, N, Units, 0),
    [Unit ! over || Unit <- tuple_to_list(Units)],
    Sum.

fan_unit(Parent) -> receive over -> ok; Word -> Parent ! {word, Word + 1}, fan_unit(Parent) end.

fan_feed(N, N, _) -> ok;
fan_feed(I, N, Units) -> element(I rem ?FAN + 1, Units) ! I, fan_feed(I + 1, N, Units).

fan_gather(N, N, _, _, Sum) -> Sum;
fan_gather(I, N, All, Units, Sum) ->
    receive {word, Word} ->
        fan_feed(min(I + ?FAN_ROOM, All), min(I + ?FAN_ROOM + 1, All), Units),
        fan_gather(I + 1, N, All, Units, Sum + Word)
    end.

scale_rep(O, {Name, N, Run, Expected, Ops}, Rep) ->
    program_warm(Run, stamp() + 4 * ?WARM_UP_NS),
    From = stamp(),
    Result = Run(),
    Ns = stamp() - From,
    case Result of
        Expected -> row(O, Name, N, Rep, "ns_per_op", Ns / Ops, {0, 0}, Ops), true;
        _ -> fail(O, Name, "ns_per_op", io_lib:format("the result is ~w, not ~w", [Result, Expected]))
    end.

%% ---- deep recursion: a process' stack is part of its heap, and grows by copying ---------------------------------------

down(0) -> 0;
down(Calls) -> down(Calls - 1) + 1.

%% Nanoseconds and calls of that many descents.
descents(Calls, Times) ->
    From = stamp(),
    Made = lists:sum([down(Calls) || _ <- lists:seq(1, Times)]),
    {stamp() - From, Made}.

descent(O) ->
    Calls = max(1, number("depth", O, 0) div ?FRAME),
    Times = ?WARM_CALLS div (Calls + 1) + 1,
    Self = self(),
    spawn(fun() ->
              First = descents(Calls, 1),
              Self ! {First, [descents(Calls, Times) || _ <- lists:seq(1, number("reps", O, 5))]}
          end),
    receive {{Ns, Calls}, Warm} ->
        Each = Calls + 1,
        row(O, "first", Each, 0, "ns_per_op", Ns / Each, {1, 1}, Each),
        [row(O, "warm", Each, Rep, "ns_per_op", Took / (Each * Times), {1, 1}, Each * Times)
         || {Rep, {Took, Made}} <- lists:enumerate(0, Warm), Made =:= Calls * Times],
        true
    end.

%% ---- sleeps, timers: the virtual machine counts in milliseconds -------------------------------------------------------

working() -> receive over -> ok after 0 -> piece(?STEPS, 1), erlang:yield(), working() end.

piece(0, X) -> X;
piece(N, X) -> piece(N - 1, (X * 1103515245 + 12345) band 16#7fffffff).

lateness(O) ->
    Variant = option("variant", O, ""),
    lists:member(Variant, ["own", "own-busy"]) orelse throw({usage, "--case=lateness --variant: use own or own-busy"}),
    Busy = case Variant of "own" -> 0; _ -> number("threads", O, 1) end,
    [sleeps(O, Variant, Busy, Rep - 1, Sleep) || Rep <- lists:seq(1, number("reps", O, 5)), Sleep <- ?SLEEPS],
    true.

sleeps(O, Variant, Busy, Rep, {Ns, Times}) ->
    Workers = [spawn(fun working/0) || _ <- lists:seq(1, Busy)],
    Samples = [begin From = stamp(), timer:sleep((Ns + 999999) div 1000000), stamp() - From end
               || _ <- lists:seq(1, Times)],
    [Worker ! over || Worker <- Workers],
    samples(O, Variant, Ns, Rep, "sleep_ns", Samples, {1, 1}).

delay(Random) ->
    Next = (Random * 6364136223846793005 + 1442695040888963407) band 16#ffffffffffffffff,
    {?LEAST_NS + (Next bsr 33) rem ?SPREAD_NS, Next}.

timers(O) ->
    N = number("n", O, 1000),
    Variant = option("variant", O, ""),
    Start = case Variant of
                "sleep" -> fun(Ms, Due, Self) -> spawn(fun() -> receive after Ms -> Self ! {fired, Due} end end) end;
                "timer" -> fun(Ms, Due, Self) -> erlang:send_after(Ms, Self, {fired, Due}) end;
                _ -> throw({usage, "--case=timers --variant: use timer or sleep"})
            end,
    stop(),
    From = stamp(),
    start_timers(N, number("seed", O, 1), Start),
    Ns = stamp() - From,
    {message_queue_len, Early} = process_info(self(), message_queue_len),
    stop(),
    Late = await_timers(N, N, max(1, N div 1000), []),
    stop(),
    row(O, Variant, N, 0, "ns_per_op", Ns / N, {N, N}, N),
    samples(O, Variant, N, 0, "late_ns", Late, {N, N}),
    row(O, Variant, N, 0, "fired_early", Early, {N, N}, N),
    row(O, Variant, N, 0, "units", N, {N, N}, N),
    true.

start_timers(0, _, _) -> ok;
start_timers(N, Random, Start) ->
    {Delay, Next} = delay(Random),
    Start((Delay + 999999) div 1000000, stamp() + Delay, self()),
    start_timers(N - 1, Next, Start).

await_timers(0, _, _, Late) -> Late;
await_timers(Left, N, Every, Late) ->
    receive {fired, Due} ->
        await_timers(Left - 1, N, Every, case Left rem Every of 0 -> [stamp() - Due | Late]; _ -> Late end)
    end.
