%% erlbench measures Erlang's processes as gosbench measures its contenders: same options, same work, same rows
%% (results/README.md). The script `erlbench` beside it starts the virtual machine.
-module(erlbench).
-export([main/0]).

-define(SAMPLE_NS, 10000000).
-define(WARM_UP_NS, 5000000).
-define(PILOT_OPS, 1000).
-define(CHILDREN, 10).

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
run(_, _) -> throw({usage, "--case is one of handover, memory, scale, spawn, yield"}).

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

fail(O, Variant, Metric, Why) ->
    complain("FAILED: " ++ option("case", O, "") ++ ": " ++ Why),
    put_row(O, Variant, number("n", O, 0), 0, Metric, "null", {0, 0}, 0, "failed", Why),
    false.

put_row(O, Variant, N, Rep, Metric, Value, {Asked, Made}, Ops, Status, Why) ->
    Line = io_lib:format("{\"case\":\"~s\",\"contender\":\"erlang\",\"variant\":\"~s\",\"n\":~w,\"threads\":~w,"
                         "\"launch\":~w,\"rep\":~w,\"metric\":\"~s\",\"value\":~s,\"units_asked\":~w,"
                         "\"units_made\":~w,\"ops\":~w,\"status\":\"~s\",\"why\":\"~s\"}~n",
                         [option("case", O, ""), Variant, N, number("threads", O, 1), number("launch", O, 0), Rep,
                          Metric, Value, Asked, Made, Ops, Status, Why]),
    case option("rows", O, "") of
        "" -> io:put_chars(Line);
        Path -> ok = file:write_file(Path, Line, [append])
    end.

stamp() -> erlang:monotonic_time(nanosecond).

%% ---- memory --------------------------------------------------------------------------------------------------------

read_all(File, Text) ->
    case file:read(File, 65536) of
        {ok, More} -> read_all(File, [Text, More]);
        eof -> unicode:characters_to_list(iolist_to_binary(Text))
    end.

text_of(Name) -> %% files of /proc have no size
    {ok, File} = file:open("/proc/self/" ++ Name, [read, raw, binary]),
    Text = read_all(File, []),
    file:close(File),
    string:split(Text, "\n", all).

number_behind(Key, Lines) ->
    [Number | _] = [Word || Line <- Lines, [Head, Word | _] <- [string:lexemes(Line, " \t")], Head =:= Key],
    list_to_integer(Number).

usage() ->
    Status = text_of("status"),
    #{rss => number_behind("VmRSS:", Status) * 1024, pte => number_behind("VmPTE:", Status) * 1024,
      threads => number_behind("Threads:", Status), pss => number_behind("Pss:", text_of("smaps_rollup")) * 1024,
      mappings => length(text_of("maps"))}.

parked(Parent, Ran) ->
    counters:add(Ran, 1, 1),
    Parent ! arrived,
    receive go_on -> Parent ! finished end.

wait_for(_, 0) -> ok;
wait_for(What, N) -> receive What -> wait_for(What, N - 1) end.

memory(O) ->
    N = number("n", O, 1000),
    Ran = counters:new(1, [atomics]),
    Self = self(),
    usage(),
    Before = usage(),
    Units = spawn_parked(N, Self, Ran, []),
    wait_for(arrived, N),
    Parked = usage(),
    lists:foreach(fun(Unit) -> Unit ! go_on end, Units),
    wait_for(finished, N),
    Retained = usage(),
    More = fun(Key, After) -> max(0, maps:get(Key, After) - maps:get(Key, Before)) end,
    Values = [{"rss_bytes", More(rss, Parked)}, {"pte_bytes", More(pte, Parked)}, {"pss_bytes", More(pss, Parked)},
              {"kernel_stack_bytes", More(threads, Parked) * 16384}, {"mappings", More(mappings, Parked)},
              {"retained_rss_bytes", More(rss, Retained)}],
    [row(O, "", N, 0, Metric, Value, {N, counters:get(Ran, 1)}, 0) || {Metric, Value} <- Values],
    true.

spawn_parked(0, _, _, Units) -> Units;
spawn_parked(N, Parent, Ran, Units) -> spawn_parked(N - 1, Parent, Ran, [spawn(fun() -> parked(Parent, Ran) end) | Units]).

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

skynet_warm(N, Until) ->
    case stamp() < Until of true -> skynet(N), skynet_warm(N, Until); false -> ok end.

scale(O) ->
    N = case number("n", O, 0) of 0 -> 1000000; Given -> Given end,
    option("variant", O, "") =:= "skynet-chan" orelse throw({usage, "--case=scale --variant: use skynet-chan"}),
    lists:all(fun(Rep) -> scale_rep(O, N, Rep - 1) end, lists:seq(1, number("reps", O, 5))).

scale_rep(O, N, Rep) ->
    skynet_warm(N, stamp() + 4 * ?WARM_UP_NS),
    From = stamp(),
    Sum = skynet(N),
    Ns = stamp() - From,
    case N * (N - 1) div 2 of
        Sum -> row(O, "skynet-chan", N, Rep, "ns_per_op", Ns / units(N), {0, 0}, units(N)), true;
        Expected -> fail(O, "skynet-chan", "ns_per_op", io_lib:format("the result is ~w, not ~w", [Sum, Expected]))
    end.
