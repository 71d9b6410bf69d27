/*
 * Generations, fences, ledgers and commits of a job that several workers share, small enough that every interleaving is visited.
 *
 * Two terms of leaders and two members that may be arbitrarily late (a process that makes no step is a suspended one), members that crash, one
 * sink with a transaction and a ledger record per slot, two batches of two tasks. With n seats, slot s owns the tasks t with
 * t mod n = s. Every `atomic` is one script of the store or one transaction of the sink; between two of them anything may happen.
 * Nothing in the model knows the time: whoever wants the lease takes it. Left out: a store that goes back, and liveness.
 *
 * Checked: no batch is delivered twice (once), under two plans (same plan), or beyond the batch after the commit (not ahead); a batch
 * commits in order, with all of its output (whole), and never for a generation or a term that is over (current, leader).
 *
 * With one of these defined a check is left out, and the search must find a violation:
 *   NO_FENCE    the sink takes transactions of older generations
 *   NO_SKIP     a new generation does not read the ledgers
 *   NO_REPEAT   a ledger record does not repeat what earlier generations delivered of its batch
 *   NO_ORDER    output does not wait for the commit before it
 *   NO_REPORTS  a commit does not wait for every slot's report
 *   NO_CURRENT  reports and commits of older generations are taken
 */
#ifndef TERMS
#define TERMS 2
#endif
#ifndef MAX_GENERATION
#define MAX_GENERATION 3
#endif
#ifndef MAX_CRASHES
#define MAX_CRASHES 1
#endif
#define BATCHES 2
#define ALL_TASKS 3

/* The store (J:lease, J:gen, J:ready, J:plan, J:prepared, J:commit). */
byte epoch;
byte generation;
bit open;
byte seats;             /* members of the generation: 1 or 2 */
byte sole;              /* with one seat: who has it */
byte ready;             /* bit per slot */
byte skip_batch;        /* everything below is delivered */
byte skip_tasks;        /* and these tasks of it */
byte plan[BATCHES + 2]; /* digest, 0: none; the planner's generation makes it unique */
byte last_plan;
byte reports;           /* bit per slot, for batch commit + 1 of this generation */
byte commit;

/* The sink: per slot a fence and a ledger record. */
byte fence[2];
byte ledger_batch[2];
byte ledger_tasks[2];

/* What readers of the sink see: how often a task's rows are there, and under which plan. */
byte rows[(BATCHES + 1) * 2];
byte rows_plan[BATCHES + 2];

byte crashes;

#define SLOTS_BITS ((1 << seats) - 1)
#define TASKS_OF(slot, n) (n == 1 -> ALL_TASKS : (1 << slot))
#define LEADS(term) (epoch == term)
#ifdef NO_CURRENT
#define CURRENT(g) (g != 0)
#else
#define CURRENT(g) (generation == g)
#endif

/* One term. A process that leads twice is two of these: it keeps nothing from the first. */
proctype Leader(byte term) {
  byte mine = 0; /* the generation it made last */
  byte seen_batch, seen_tasks;
  bit has_read = 0;

  atomic { epoch == term - 1 -> epoch = term }
  do
  /* NewGen: leader; with one seat or two. */
  :: atomic { LEADS(term) && generation < MAX_GENERATION ->
       generation++; open = 0; ready = 0; reports = 0; mine = generation; has_read = 0;
       skip_batch = 0; skip_tasks = 0;
       if
       :: seats = 2; sole = 0
       :: seats = 1; sole = 0
       :: seats = 1; sole = 1
       fi }

  /* All are ready: no older writer can add to the ledgers, so they are read. */
  :: atomic { mine != 0 && !has_read && generation == mine && ready == SLOTS_BITS ->
       has_read = 1; seen_batch = 0; seen_tasks = 0;
#ifndef NO_SKIP
       seen_batch = (ledger_batch[0] > ledger_batch[1] -> ledger_batch[0] : ledger_batch[1]);
       if :: ledger_batch[0] == seen_batch -> seen_tasks = seen_tasks | ledger_tasks[0] :: else fi;
       if :: ledger_batch[1] == seen_batch -> seen_tasks = seen_tasks | ledger_tasks[1] :: else fi
#endif
     }

  /* Open: leader; current; still fencing. */
  :: atomic { has_read && LEADS(term) && generation == mine && !open ->
       open = 1; skip_batch = seen_batch; skip_tasks = seen_tasks; seen_batch = 0; seen_tasks = 0 }

  /* Plan: leader; current, open; the next one, at most two beyond the commit. */
  :: atomic { mine != 0 && LEADS(term) && generation == mine && open && last_plan < BATCHES && last_plan < commit + 2 ->
       last_plan++; plan[last_plan] = generation }

  /* Commit: leader; current, open; all reports. */
  :: atomic { mine != 0 && (LEADS(term) && CURRENT(mine)) && open && commit < BATCHES && plan[commit + 1] != 0 &&
#ifdef NO_REPORTS
       reports != 0
#else
       reports == SLOTS_BITS
#endif
       ->
       commit++; reports = 0;
       assert(term == epoch);                                             /* leader */
       assert(mine == generation);                                        /* current */
       assert(rows[commit * 2] == 1 && rows[commit * 2 + 1] == 1) }       /* whole */

  :: atomic { commit == BATCHES || epoch != term -> mine = 0; has_read = 0; seen_batch = 0; seen_tasks = 0; break }
  od
}

proctype Member(byte self) {
  byte known = 0;     /* the generation it works in, 0: none */
  byte lost = 0;      /* generations up to this one had a seat for the process that crashed */
  byte slot, n;
  bit fenced = 0;
  byte batch = 0;     /* it was told to deliver this one */
  byte digest, done;  /* its plan; tasks that the ledgers name */
  bit delivered = 0;
  byte t;

  do
  /* Learns of a generation that has a seat for it, and drops what it had in work. */
  :: atomic { generation > known && generation > lost && (seats == 2 || sole == self) ->
       known = generation; n = seats; slot = (seats == 2 -> self : 0);
       fenced = 0; batch = 0; digest = 0; done = 0; delivered = 0 }

  /* Fences the slots k with k mod n = slot, used now or not: the last who comes holds them, as with Kafka. Ids are taken one by one. */
  :: known != 0 && !fenced ->
       fence[slot] = known;
       if :: n == 1 -> fence[1] = known :: else fi;
       fenced = 1

  /* Ready: current; still fencing. */
  :: atomic { fenced && generation == known && !open && (ready & (1 << slot)) == 0 -> ready = ready | (1 << slot) }

  /* Told to deliver the next batch; the message may be old when it is acted on. */
  :: atomic { fenced && batch == 0 && generation == known && open && commit < BATCHES && plan[commit + 1] != 0 ->
       batch = commit + 1;
#ifdef NO_ORDER
       if :: true :: batch < BATCHES && plan[batch + 1] != 0 -> batch++ fi;
#endif
       digest = plan[batch];
       done = (skip_batch > batch -> ALL_TASKS : (skip_batch == batch -> skip_tasks : 0)) }

  /* One transaction: rows of its tasks that no ledger names, and the record of them. */
  :: atomic { batch != 0 && !delivered ->
#ifndef NO_FENCE
       if
       :: fence[slot] != known -> known = 0; batch = 0; fenced = 0; lost = generation  /* fenced: it ends, and comes back as another */
       :: else ->
#endif
       t = 0;
       do
       :: t < 2 && (TASKS_OF(slot, n) & (1 << t)) != 0 && (done & (1 << t)) == 0 ->
            rows[batch * 2 + t]++;
            assert(rows[batch * 2 + t] == 1);                              /* once */
            assert(batch <= commit + 1);                                   /* not ahead */
            assert(rows_plan[batch] == 0 || rows_plan[batch] == digest);   /* same plan */
            rows_plan[batch] = digest;
            ledger_batch[slot] = batch;
#ifdef NO_REPEAT
            ledger_tasks[slot] = TASKS_OF(slot, n) & ~done;
#else
            ledger_tasks[slot] = TASKS_OF(slot, n) | done;
#endif
            t++
       :: t < 2 && !((TASKS_OF(slot, n) & (1 << t)) != 0 && (done & (1 << t)) == 0) -> t++
       :: t == 2 -> break
       od;
       t = 0; delivered = 1
#ifndef NO_FENCE
       fi
#endif
     }

  /* Prepared: current, open; the batch follows the commit. */
  :: atomic { delivered && CURRENT(known) && open && batch == commit + 1 && (reports & (1 << slot)) == 0 ->
       reports = reports | (1 << slot) }

  /* Committed, or its generation is over: it waits for the next message. */
  :: atomic { delivered && batch <= commit -> batch = 0; delivered = 0; digest = 0; done = 0 }

  :: atomic { crashes < MAX_CRASHES -> crashes++;
       known = 0; fenced = 0; batch = 0; delivered = 0; digest = 0; done = 0; lost = generation }

  :: atomic { commit == BATCHES -> break }
  od
}

init {
  byte term = 0;
  atomic {
    do :: term < TERMS -> term++; run Leader(term) :: else -> break od;
    run Member(0); run Member(1)
  }
}
