#!/usr/bin/env escript
%% Erlang's gen_server doing what bench/actor asks of a cell. Reads `cast <bursts>`, `ring <hops>` or `call <calls>` and
%% answers with the nanoseconds all of them took. Crashes if a message was not handled.
-module(gen_server_peer).
-mode(compile).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

-define(BURST, 10000).
-define(RING, 1000).

main(_) ->
    {ok, Counter} = gen_server:start_link(?MODULE, counter, []),
    serve(Counter, ring()).

serve(Counter, Ring) ->
    case io:get_line("") of
        eof -> ok;
        Line ->
            [Order, Count] = string:lexemes(string:trim(Line), " "),
            Begin = erlang:monotonic_time(nanosecond),
            order(Order, list_to_integer(Count), Counter, Ring),
            io:format("~b~n", [erlang:monotonic_time(nanosecond) - Begin]),
            serve(Counter, Ring)
    end.

order("cast", Bursts, Counter, _) ->
    [burst(Counter) || _ <- lists:seq(1, Bursts)];
order("ring", Hops, _, [First | _] = Ring) ->
    gen_server:cast(First, {token, Hops - 1, self()}),
    receive passed -> ok end,
    Share = Hops div ?RING,
    [Share = gen_server:call(Cell, passed) || Cell <- Ring];
order("call", Calls, Counter, _) ->
    [0 = gen_server:call(Counter, handled) || _ <- lists:seq(1, Calls)].

burst(Counter) ->
    send(Counter, 1),
    gen_server:cast(Counter, {burst, self()}),
    Sum = ?BURST * (?BURST + 1) div 2,
    receive {handled, ?BURST, Sum} -> ok end.

send(_, Number) when Number > ?BURST -> ok;
send(Counter, Number) ->
    gen_server:cast(Counter, Number),
    send(Counter, Number + 1).

ring() ->
    Ring = [begin {ok, Cell} = gen_server:start_link(?MODULE, cell, []), Cell end || _ <- lists:seq(1, ?RING)],
    [First | Rest] = Ring,
    lists:foreach(fun({Cell, Next}) -> gen_server:cast(Cell, {next, Next}) end, lists:zip(Ring, Rest ++ [First])),
    Ring.

init(counter) -> {ok, {0, 0}};
init(cell) -> {ok, {none, 0}}.

handle_call(handled, _, {Count, _} = State) -> {reply, Count, State};
handle_call(passed, _, {Next, Count}) -> {reply, Count, {Next, 0}}.

handle_cast(Number, {Count, Sum}) when is_integer(Number) -> {noreply, {Count + 1, Sum + Number}};
handle_cast({burst, To}, {Count, Sum}) ->
    To ! {handled, Count, Sum},
    {noreply, {0, 0}};
handle_cast({next, Next}, {_, Count}) -> {noreply, {Next, Count}};
handle_cast({token, 0, To}, {Next, Count}) ->
    To ! passed,
    {noreply, {Next, Count + 1}};
handle_cast({token, Left, To}, {Next, Count}) ->
    gen_server:cast(Next, {token, Left - 1, To}),
    {noreply, {Next, Count + 1}}.
