%% The server of benches/server in Erlang: a process a connection, requests parsed by the sockets themselves
%% ({packet, http_bin}). The script `server-erlang` beside it starts the virtual machine.
-module(httpserver).
-export([main/0]).
-behaviour(gen_event).
-export([init/1, handle_event/2, handle_call/2]).

-define(ANSWER, <<"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world\n">>).
-define(BODY_LIMIT, 65536).
%% Counters.
-define(SERVED, 1).
-define(REFUSED, 2).
-define(CONNECTIONS, 3).
-define(TURNED_AWAY, 4).
-define(OPEN, 5).

main() ->
    Given = parse(init:get_plain_arguments(), #{"--port" => 0, "--loops" => 1, "--limit" => 20000, "--timeout" => 30}),
    Counts = counters:new(5, [atomics]),
    persistent_term:put(counts, Counts),
    %% In the place of the handler that ends the virtual machine.
    gen_event:swap_handler(erl_signal_server, {erl_signal_handler, []}, {?MODULE, []}),
    [os:set_signal(Signal, handle) || Signal <- [sigusr1, sigterm]],
    {ok, Listener} = gen_tcp:listen(maps:get("--port", Given),
                                    [binary, {ip, {127, 0, 0, 1}}, {packet, http_bin}, {active, false},
                                     {reuseaddr, true}, {nodelay, true}, {backlog, 16384}, {recbuf, 8192},
                                     {packet_size, 8192}]),
    {ok, Port} = inet:port(Listener),
    io:format("listening ~w~n", [Port]),
    accept(Listener, maps:get("--limit", Given), maps:get("--timeout", Given) * 1000).

parse([], Given) -> Given;
parse([Name, Value | Rest], Given) when is_map_key(Name, Given) ->
    try parse(Rest, Given#{Name := list_to_integer(Value)})
    catch error:badarg -> refuse(Name) end;
parse([Name | _], _) -> refuse(Name).

refuse(Name) ->
    io:format(standard_error, "server: '~s': use --port N --loops N --limit N --timeout SECONDS~n", [Name]),
    halt(2).

accept(Listener, Limit, Timeout) ->
    case gen_tcp:accept(Listener) of
        {ok, Socket} -> welcome(Socket, Limit, Timeout, count(?OPEN) < Limit);
        {error, _} -> timer:sleep(10) % until some connection ends
    end,
    accept(Listener, Limit, Timeout).

welcome(Socket, _, _, false) ->
    add(?TURNED_AWAY, 1),
    gen_tcp:close(Socket);
welcome(Socket, _, Timeout, true) ->
    add(?CONNECTIONS, 1),
    add(?OPEN, 1),
    Unit = spawn(fun() -> receive go -> connection(Socket, Timeout), add(?OPEN, -1) end end),
    case gen_tcp:controlling_process(Socket, Unit) of _ -> Unit ! go end.

add(What, N) -> counters:add(persistent_term:get(counts), What, N).
count(What) -> counters:get(persistent_term:get(counts), What).

connection(Socket, Timeout) ->
    case gen_tcp:recv(Socket, 0, Timeout) of
        {ok, {http_request, _, _, Version}} -> headers(Socket, Timeout, 0, Version =:= {1, 0});
        {ok, {http_error, _}} -> refusal(Socket, "400 Bad Request");
        {error, emsgsize} -> refusal(Socket, "431 Request Header Fields Too Large");
        {error, _} -> gen_tcp:close(Socket)
    end.

headers(Socket, Timeout, Length, Last) ->
    case gen_tcp:recv(Socket, 0, Timeout) of
        {ok, {http_header, _, 'Content-Length', _, Value}} ->
            headers(Socket, Timeout, binary_to_integer(Value), Last);
        {ok, {http_header, _, 'Connection', _, Value}} ->
            headers(Socket, Timeout, Length, Last orelse string:equal(Value, <<"close">>, true));
        {ok, {http_header, _, _, _, _}} -> headers(Socket, Timeout, Length, Last);
        {ok, http_eoh} when Length > ?BODY_LIMIT -> refusal(Socket, "413 Payload Too Large");
        {ok, http_eoh} -> answer(Socket, Timeout, Length, Last);
        {ok, {http_error, _}} -> refusal(Socket, "400 Bad Request");
        {error, emsgsize} -> refusal(Socket, "431 Request Header Fields Too Large");
        {error, _} -> gen_tcp:close(Socket)
    end.

body(_, _, 0) -> ok;
body(Socket, Timeout, Length) ->
    inet:setopts(Socket, [{packet, raw}]),
    Got = gen_tcp:recv(Socket, Length, Timeout),
    inet:setopts(Socket, [{packet, http_bin}]),
    case Got of {ok, _} -> ok; _ -> gone end.

answer(Socket, Timeout, Length, Last) ->
    case body(Socket, Timeout, Length) of
        gone -> gen_tcp:close(Socket);
        ok ->
            add(?SERVED, 1), % before the write, so that no driver can have counted more
            case gen_tcp:send(Socket, ?ANSWER) of
                ok when not Last -> connection(Socket, Timeout);
                _ -> gen_tcp:close(Socket)
            end
    end.

refusal(Socket, Status) ->
    add(?REFUSED, 1),
    gen_tcp:send(Socket, ["HTTP/1.1 ", Status, "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"]),
    gen_tcp:close(Socket).

%% ---- the counts, at a signal: the kernel's clock of the processor counts in hundredths of a second -------------------

init(_) -> {ok, []}.
handle_call(_, State) -> {ok, ok, State}.

handle_event(Signal, State) ->
    {CpuMs, _} = erlang:statistics(runtime),
    io:format("{\"served\": ~w, \"refused\": ~w, \"connections\": ~w, \"turned_away\": ~w, \"open\": ~w, "
              "\"cpu_ns\": ~w, \"parser\": \"erlang\"}~n",
              [count(What) || What <- [?SERVED, ?REFUSED, ?CONNECTIONS, ?TURNED_AWAY, ?OPEN]] ++ [CpuMs * 1000000]),
    case Signal of sigterm -> halt(0); _ -> {ok, State} end.
