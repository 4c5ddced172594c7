"""Random scenarios, to compare corio with CPython beyond the recorded ones.

    fuzz.py FOLDER FIRST COUNT [OPTION ...]     write COUNT scenarios, seeds FIRST, FIRST+1 ..., into FOLDER
    oracle.py --record FOLDER                   let CPython 3.13 run them
    conformance --check --diff FOLDER           let corio run them

Tasks wait for locks, semaphores, queues and an event, sleep and yield; main and the tasks themselves set, release, put
and cancel. One seed with the same options is one scenario for ever.

OPTIONS: await    main and tasks await each other
         self     tasks cancel themselves
         timeout  time limits around bodies
         zero     time limits of 0 too
         group    task groups, in tasks
         moved    time limits that are moved
         gen      tasks iterate over asynchronous generators
         cond     tasks wait at conditions, two of which share a lock
         barrier  tasks wait at a barrier, which is aborted and reset
         ctx      all set and reset context variables, in given contexts too
         combine  gather, wait, as_completed, shield and wait_for over tasks
         call     callbacks and futures
         eager    tasks that start eagerly; not with `self`
"""
import json
import os
import random
import sys


class Generator:
    def __init__(self, seed, options):
        self.r = random.Random(seed)
        self.options = options
        self.labels = 0
        self.tasks = []             # those that main has spawned so far
        self.me = None              # the task that is being written, none for main
        self.scopes = 0             # groups and time limits that have a name
        self.open = []              # the groups around what is being written
        self.limits = []            # the same of the time limits
        self.gens = {}
        self.held = []              # the conditions whose lock the body has
        self.level = self.tokens = self.contexts = 0

    def label(self):
        self.labels += 1
        return "s%d" % self.labels

    def op(self, name, **fields):
        return dict(op=name, **fields)

    def settled(self, name, **fields):
        return dict(op=name, settle=self.label(), **fields)

    def leaf(self):
        r, queue = self.r, self.r.choice("qp")
        choices = [
            (4, lambda: self.op("yield", n=r.choice([1, 1, 1, 2, 3]))),
            (3, lambda: self.op("sleep", ms=r.choice([0, 10, 10, 20, 20, 30]))),
            (2, lambda: self.op("log", text=self.label())),
            (2, lambda: self.op("event_set", o="e")),
            (1, lambda: self.op("event_clear", o="e")),
            (2, lambda: self.settled("release", o="l")),
            (2, lambda: self.settled("release", o="s")),
            (1, lambda: self.settled("locked", o=r.choice("lms"))),
            (3, lambda: self.settled("put_nowait", o=queue, v=r.randrange(9))),
            (2, lambda: self.settled("get_nowait", o=queue)),
            (1, lambda: self.settled("task_done", o=queue)),
            (1, lambda: self.settled("q_state", o=queue)),
            (.1, lambda: self.op("q_shutdown", o=queue, immediate=r.random() < .5)),
            (1, lambda: self.settled("all_tasks")),
        ]
        if "ctx" in self.options:
            choices += [
                (3, lambda: self.set_var()),
                (3, lambda: self.settled("ctx_get", o=r.choice("vw"))),
            ]
            if self.tokens and self.me is None:
                choices.append((2, lambda: self.settled("ctx_reset", token="k%d" % r.randrange(self.tokens))))
        if "barrier" in self.options:
            choices.append((1, lambda: self.settled("barrier_state", o="b")))
            if self.me is not None:
                choices += [
                    (5, lambda: self.settled("barrier_wait", o="b")),
                    (.4, lambda: self.settled("barrier_abort", o="b")),
                    (.8, lambda: self.settled("barrier_reset", o="b")),
                ]
        if "cond" in self.options:
            choices += [
                (.3, lambda: self.settled("notify_all", o=r.choice("cdk"))),
                (1, lambda: self.settled("locked", o=r.choice("cd"))),
                (2, lambda: self.op("cell_add", o="n")),
            ]
        if self.held:
            choices += [
                (9, lambda: self.settled("cond_wait", o=r.choice(self.held))),
                (4, lambda: self.settled("cond_wait_for", o=r.choice(self.held), cell="n", cmp="ge", b=r.randrange(5))),
                (5, lambda: self.settled("notify", o=r.choice(self.held), n=r.choice([1, 1, 2, 3]))),
                (2, lambda: self.settled("notify_all", o=r.choice(self.held))),
            ]
        others = [t for t in self.tasks if t != self.me]
        if others:
            choices += [
                (3, lambda: self.settled("cancel", h=r.choice(others))),
                (1, lambda: self.op("state", h=r.choice(others))),
                (1, lambda: self.settled("cancelling", h=r.choice(others))),
            ]
            # Only those spawned before: a cycle of awaits is not in the language.
            before = others if self.me is None else [t for t in others if t < self.me]
            if "await" in self.options and before:
                choices.append((1, lambda: self.settled("await", h=r.choice(before))))
            if "combine" in self.options and before:
                choices += [(1, lambda: self.combined(before))]
        if self.me is not None:
            choices += [
                (3, lambda: self.settled("event_wait", o="e")),
                (3, lambda: self.settled("acquire", o="l")),
                (3, lambda: self.settled("acquire", o="s")),
                (3, lambda: self.settled("put", o=queue, v=r.randrange(9))),
                (3, lambda: self.settled("get", o=queue)),
                (1, lambda: self.settled("join", o=queue)),
            ]
            if self.open:
                choices.append((1, lambda: self.settled("raise", e="E%d" % r.randrange(3))))
                choices.append((.7, lambda: self.op("raise", e="E%d" % r.randrange(3))))
                choices.append((1, lambda: self.child(0)))
            if self.limits:
                choices.append((2, lambda: self.settled("reschedule", tm=r.choice(self.limits), ms=r.choice([None, 10, 20, 30] + [0] * ("zero" in self.options)))))
                choices.append((1, lambda: self.settled("tm_state", tm=r.choice(self.limits))))
            if "self" in self.options:
                choices.append((.5, lambda: self.settled("cancel", h=self.me)))
        if "call" in self.options:
            choices.append((4, self.call))
            if self.me is not None:
                choices.append((3, lambda: self.settled("await", h=r.choice("fg"))))
        return r.choices([make for _, make in choices], [weight for weight, _ in choices])[0]()

    def set_var(self):
        # A token is for what is run in any case, and in order.
        if self.me is not None or self.level > 1 or self.r.random() < .5:
            return self.op("ctx_set", o=self.r.choice("vw"), v=self.label())
        self.tokens += 1
        return self.op("ctx_set", o=self.r.choice("vw"), v=self.label(), token="k%d" % (self.tokens - 1))

    def condition(self, depth):
        name = self.r.choice("cdk")
        self.held.append(name)
        if name in "dk" and self.r.random() < .5:
            self.held.append("k" if name == "d" else "d")
        body = self.body(depth, self.r.randrange(1, 4))
        self.held.clear()
        return self.settled("with", o=name, body=body)

    def combined(self, tasks):
        r, zero = self.r, [0] * ("zero" in self.options)
        of = [r.choice(tasks) for _ in range(r.randrange(1, 5))]
        for i, task in enumerate(of):
            if r.random() < .3 and self.me is None:
                self.labels += 1
                of[i] = {"as": "u%d" % self.labels, "body": [self.guard([self.op("sleep", ms=r.choice([0, 10, 20]))])]}
                if r.random() < .3:
                    of[i]["body"].append(self.op("raise", e="E%d" % self.labels))
        kind, timeout = r.choice(["gather", "gather", "wait", "wait", "as_completed", "shield", "wait_for"]), {}
        if r.random() < .5:
            timeout = {"timeout": r.choice([10, 20, 30] + zero)}
        if kind == "gather":
            return self.settled("gather", of=of, return_exceptions=r.random() < .5)
        if kind == "wait":
            when = r.choice(["all", "first_completed", "first_exception"])
            return self.settled("wait", of=of, return_when=when, **timeout)
        if kind == "as_completed":
            body = self.body(0, 1) if r.random() < .5 else []
            return self.settled("as_completed", of=of, label=self.label(), body=body, **timeout)
        if kind == "shield":
            return self.settled("shield", h=r.choice(tasks))
        return self.settled("wait_for", h=r.choice(tasks), ms=r.choice([None, 10, 20] + zero))

    def call(self):
        """Something about callbacks, or a future."""
        r = self.r
        fields = dict(text="call " + self.label(), do=[self.sync() for _ in range(r.randrange(3))])
        name, taken_back = "c" + self.label(), r.random() < .3
        if taken_back:
            fields["as"] = name
        others = [t for t in self.tasks if t != self.me and (self.me is None or t < self.me)]
        kind, undo = r.randrange(9), self.op("cb_cancel", cb=name)
        if kind < 2:
            made = self.op("call_soon", **fields)
        elif kind < 4:
            made = self.op("call_later", ms=r.choice([0, 10, 10, 20]), **fields)
        elif kind < 5:
            made = self.op("call_at", at=r.choice([0, 10, 20, 30, 40]), **fields)
        elif kind < 8:
            made, undo = self.op("on_done", h=r.choice(others + ["f", "g"]), **fields), self.settled("off_done", cb=name)
        else:
            return self.sync()
        return self.op("block", body=[made] + self.body(0, r.randrange(2)) + [undo]) if taken_back else made

    def sync(self):
        r = self.r
        choices = [
            lambda: self.op("log", text=self.label()),
            lambda: self.settled("f_set", o=r.choice("fg"), v=r.randrange(9)),
            lambda: self.settled("f_err", o=r.choice("fg"), e="F"),
            lambda: self.settled("cancel", h=r.choice("fg")),
            lambda: self.op("state", h=r.choice("fg")),
            lambda: self.op("event_set", o="e"),
            lambda: self.settled("put_nowait", o="q", v=r.randrange(9)),
            lambda: self.op("call_soon", text="soon " + self.label(), do=[]),
            lambda: self.op("call_later", text="later " + self.label(), ms=r.choice([0, 10]), do=[]),
        ]
        if self.tasks:
            choices.append(lambda: self.settled("cancel", h=r.choice(self.tasks)))
        return r.choice(choices)()

    def guard(self, body):
        return self.op("guard", text="left " + self.label(), body=body)

    def body(self, depth, length=None):
        self.level += 1
        ops = [self.nested(depth) if depth and self.r.random() < .3 else self.leaf()
               for _ in range(length or self.r.randrange(1, 4))]
        self.level -= 1
        return ops

    def child(self, depth):
        me, self.scopes = self.me, self.scopes + 1
        group, self.me = self.r.choice(self.open), "k%d" % self.scopes
        op = self.settled("spawn", body=[self.guard(self.body(depth))], group=group)
        op["as"], self.me = self.me, me
        return op

    def group(self, depth):
        self.scopes += 1
        name = "g%d" % self.scopes
        self.open.append(name)
        body = []
        for _ in range(self.r.randrange(4)):
            body.append(self.child(depth))
            if self.r.random() < .2:
                body.append(self.op("block", settle=self.label(), body=[self.op("await", h=body[-1]["as"])]))
            if self.r.random() < .3:
                body += self.body(depth, 1)
        body += self.body(depth) if self.r.random() < .8 else []
        self.open.pop()
        group = self.settled("group", body=body) if self.r.random() < .7 else self.op("group", body=body)
        group["as"] = name
        return group

    def limit(self, depth):
        self.scopes += 1
        name = "l%d" % self.scopes
        self.limits.append(name)
        limit = self.settled("timeout", ms=self.r.choice([None, 10, 10, 20, 30] + [0] * ("zero" in self.options)), body=self.body(depth))
        self.limits.pop()
        limit["as"] = name
        return limit

    def nested(self, depth):
        if self.me is not None and "group" in self.options and self.r.random() < .5:
            return self.group(depth - 1)
        if "moved" in self.options and self.r.random() < .5:
            return self.limit(depth - 1)
        if "gen" in self.options and self.me is not None and self.r.random() < .4:
            return self.loop(depth - 1)
        if "cond" in self.options and self.me is not None and not self.held and self.r.random() < .7:
            return self.condition(depth - 1)
        r, body, kind = self.r, self.body(depth - 1), self.r.random()
        if kind < .4:
            return self.settled("with", o=r.choice("mmt"), body=body)
        if kind < .7 and "timeout" in self.options:
            return self.settled("timeout", ms=r.choice([10, 10, 20, 30] + [0] * ("zero" in self.options)), body=body)
        return self.guard(body)

    def loop(self, depth):
        r, name, ops = self.r, "g" + self.label(), []
        for item in range(r.randrange(4)):
            if r.random() < .7:
                ops += self.body(depth)
            ops.append(self.op("emit", v=item))
        if r.random() < .5:
            ops += self.body(depth)
        if r.random() < .2:
            ops.append(self.op("raise", e="E"))
        self.gens[name] = {"guard": "left " + name, "ops": ops}
        body = [self.op("log", text=name + " {v}")] + self.body(depth)
        if r.random() < .3:
            body.append(self.op("if", a="$v", b=1, then=[self.op("break")]))
        return self.settled("agen_for", gen=name, var="v", body=body)

    def scenario(self, name):
        r, tasks, main = self.r, {}, []
        for i in range(r.randrange(2, 6)):
            self.me = task = "t%d" % i
            tasks[task] = [self.guard(self.body(2, r.randrange(1, 6)))]
            self.me = None
            eager = {"eager": True} if "eager" in self.options and r.random() < .5 else {}
            spawn = self.op("spawn", task=task, **eager)
            if "ctx" in self.options and r.random() < .4:
                if r.random() < .5:
                    main.append(self.op("ctx_copy", **{"as": "x%d" % self.contexts}))
                    self.contexts += 1
                if self.contexts:
                    spawn["context"] = "x%d" % r.randrange(self.contexts)
            main.append(spawn)
            self.tasks.append(task)
            if r.random() < .5:
                main += self.body(0, 1)
        main += self.body(1, r.randrange(2, 10))
        queues = ["queue", "lifo_queue", "priority_queue"]
        objects = {
            "l": {"kind": "lock"}, "m": {"kind": "lock"}, "e": {"kind": "event"},
            "s": {"kind": r.choice(["semaphore", "bounded_semaphore"]), "value": r.randrange(1, 3)},
            "t": {"kind": "semaphore", "value": r.randrange(1, 3)},
            "q": {"kind": "queue", "maxsize": r.randrange(3)},
            "p": {"kind": r.choice(queues), "maxsize": r.randrange(3)},
            "c": {"kind": "condition"}, "d": {"kind": "condition", "lock": "h"},
            "k": {"kind": "condition", "lock": "h"}, "h": {"kind": "lock"}, "n": {"kind": "cell"},
            "b": {"kind": "barrier", "parties": r.choice([1, 2, 2, 2, 3, 3])},
            "v": {"kind": "context_var", "default": 0}, "w": {"kind": "context_var", "default": None},
        }
        if "call" in self.options:
            objects.update({"f": {"kind": "future"}, "g": {"kind": "future"}})
        return {"name": name, "doc": "Random.", "objects": objects, "tasks": tasks, "gens": self.gens,
                "main": main}


def main(argv):
    if len(argv) < 3:
        sys.stderr.write(__doc__)
        return 2
    folder, first, count, options = argv[0], int(argv[1]), int(argv[2]), set(argv[3:])
    os.makedirs(folder, exist_ok=True)
    for seed in range(first, first + count):
        name = "fuzz_%d" % seed
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(Generator(seed, options).scenario(name), f, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
