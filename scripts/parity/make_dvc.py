"""Makes a golden folder `dvc/` with the real dvc: two versions of a repository of random names, contents and stages.

Usage: python make_dvc.py FOLDER SEED; dvc must be beside the interpreter, git on the PATH.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile

import dvc


def main(folder, seed):
    rng = random.Random(seed)
    out = os.path.join(folder, "dvc")
    work = os.path.join(folder, "work")
    repo, remote = os.path.join(work, "repo"), os.path.join(work, "remote")
    for each in (out, repo):
        os.makedirs(each, exist_ok=True)
    binary = os.path.join(os.path.dirname(sys.executable), "dvc")
    home = os.path.join(work, "home")
    os.makedirs(home, exist_ok=True)
    env = dict(
        os.environ,
        HOME=home,
        DVC_NO_ANALYTICS="1",
        DVC_GLOBAL_CONFIG_DIR=home,
        DVC_SYSTEM_CONFIG_DIR=home,
        DVC_SITE_CACHE_DIR=os.path.join(work, "site"),
        GIT_CONFIG_GLOBAL=os.path.join(home, "gitconfig"),
        GIT_CONFIG_NOSYSTEM="1",
    )
    commands, snapshots = [], []

    def git(*args):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *args],
            cwd=repo, env=env, check=True, capture_output=True,
        )

    def run(line):
        done = subprocess.run([binary, *line.split()[1:]], cwd=repo, env=env, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{line}: {done.stdout}{done.stderr}")
        commands.append({"command": line, "rc": done.returncode, "stdout": done.stdout})

    def write(name, content):
        path = os.path.join(repo, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())

    def snapshot(name):
        files = {}
        for part in ("repo", "remote"):
            for root, dirs, names in os.walk(os.path.join(work, part)):
                rel_root = os.path.relpath(root, work)
                dirs[:] = [d for d in dirs if d != ".git" and os.path.join(rel_root, d) != "repo/.dvc/tmp"]
                for each in names:
                    path = os.path.join(root, each)
                    rel = os.path.relpath(path, work)
                    data = open(path, "rb").read()
                    entry = {"size": len(data), "md5": hashlib.md5(data).hexdigest()}
                    own = each.endswith((".dvc", ".dir")) or each in (
                        "dvc.yaml", "dvc.lock", ".gitignore", ".dvcignore", "config", "params.yaml")
                    if own:
                        entry["text"] = data.decode()
                    files[rel] = entry
        snapshots.append({"name": name, "files": files})

    def archive(name):
        with tarfile.open(os.path.join(out, f"{name}.tar.gz"), "w:gz") as tar:
            for part in ("repo", "remote"):
                tar.add(os.path.join(work, part), part, filter=lambda info: None
                        if "/.git/" in info.name + "/" or info.name.startswith("repo/.dvc/tmp") else info)

    words = ["alpha", "Beta", "Ünï", "naïve", "x y", "数据", "😀", "ﬀ", "e\u0301", "é", "0123", "true", "a'b", "q[1]", "z#"]

    def name(ending=""):
        return rng.choice(words) + str(rng.randrange(100)) + ending

    def content():
        kind = rng.randrange(4)
        if kind == 0:
            return b""
        if kind == 1:
            return rng.randbytes(rng.randrange(1, 2000))
        return ("".join(name("\r\n" if kind == 2 else "\n") for _ in range(rng.randrange(1, 40)))).encode()

    single = name(".bin").replace(" ", "_")
    folder_name = name().replace(" ", "_")
    tracked = [f"data/{single}", f"data/{folder_name}", f"top{rng.randrange(9)}.txt"]
    inside = {f"{'' if rng.random() < 0.5 else name() + '/'}{name('.txt')}": content() for _ in range(12)}
    rows, more = rng.randrange(2, 9), rng.randrange(10, 19)
    groups = rng.sample(["a", "b", "c", "d e"], 3)

    def params(version):
        return json.dumps(
            {
                "rows": rows if version == 0 else more,
                "seed": 7,
                "train": {"lr": rng.choice([1e-5, 0.001, 2.0]), "sizes": [1, 2, version], "name": "é", "on": version == 0},
                "groups": groups,
                "unused": {"deep": [{"a": 1}, version]},
            },
            indent=1,
        )

    script = (
        "import json, sys, os\n"
        "rows = int(sys.argv[1])\n"
        "os.makedirs('model', exist_ok=True)\n"
        "open('model/w.txt', 'w').write('w' * rows)\n"
        "open('model/same.txt', 'w').write('same')\n"
        "json.dump({'loss': 1 / rows, 'deep': {'r1': rows * 0.1, 'list': [1], 'n': rows}}, open('scores.json', 'w'))\n"
        "open('curve.csv', 'w').write('x,y\\n1,%d\\n' % rows)\n"
    )
    pipeline = f"""vars:
- rates:
    fast: 2
stages:
  later:
    cmd: cp model/w.txt last.txt && echo {'x' * 30} {'y' * 40} {'z' * 20}
    deps:
    - model
    outs:
    - last.txt
  train:
    cmd: >
      python3 train.py
      ${{rows}}
    deps:
    - train.py
    - data/{json.dumps(single)[1:-1] if single.isascii() else single}
    params:
    - rows
    - train
    - seed
    outs:
    - model
    metrics:
    - scores.json:
        cache: {'true' if rng.random() < 0.5 else 'false'}
    plots:
    - curve.csv
  each:
    foreach: ${{groups}}
    do:
      cmd: echo "${{item}} ${{rates.fast}}" > "out-${{item}}.txt"
      outs:
      - out-${{item}}.txt
  grid:
    matrix:
      size: [1, 2]
      kind: [x, y]
    cmd:
    - echo ${{item.size}}
    - echo '${{item.kind}}' > grid-${{key}}.txt
    outs:
    - grid-${{key}}.txt:
        cache: false
"""
    git("init", "-q", "-b", "main")
    run("dvc init -q")
    run("dvc remote add -d store ../remote")
    run("dvc config core.autostage false")
    write(tracked[0], b"start" + content())
    write(tracked[2], content())
    for file, data in inside.items():
        write(f"{tracked[1]}/{file}", data)
    write("params.yaml", params(0))
    write("train.py", script)
    write("dvc.yaml", pipeline)
    run("dvc add " + " ".join(tracked))
    run("dvc repro")
    run("dvc push")
    git("add", "-A")
    git("commit", "-qm", "v1")
    git("tag", "v1")
    snapshot("v1")
    for line in ("dvc metrics show --json", "dvc status --json", "dvc data status --json",
                 "dvc dag --dot", "dvc list . --dvc-only -R"):
        run(line)
    # The second version: a changed file, one more, one less, one under another name.
    write(tracked[0], b"other" + content())
    files = sorted(inside)
    os.remove(os.path.join(repo, tracked[1], files[0]))
    os.rename(os.path.join(repo, tracked[1], files[1]), os.path.join(repo, tracked[1], "renamed " + str(seed)))
    write(f"{tracked[1]}/{files[2]}", b"changed" + content())
    write(f"{tracked[1]}/new/{name()}", content())
    write("params.yaml", params(1))
    for line in ("dvc status --json", "dvc params diff --json", "dvc diff --json",
                 "dvc data status --json", "dvc data status --json --granular", "dvc data status --json --unchanged"):
        run(line)
    run("dvc add " + " ".join(tracked[:2]))
    run("dvc repro")
    run("dvc push")
    git("add", "-A")
    git("commit", "-qm", "v2")
    git("tag", "v2")
    snapshot("v2")
    for line in ("dvc metrics diff --json v1", "dvc params diff --json v1", "dvc diff --json v1",
                 "dvc diff --json v1 v2", "dvc diff --json v2 v1", "dvc diff --json --show-hash v1",
                 "dvc metrics diff --json --all v1 v2", "dvc params diff --json --all v1"):
        run(line)
    git("checkout", "-q", "v1")
    run("dvc checkout")
    archive("v1")
    git("checkout", "-q", "v2")
    run("dvc checkout")
    archive("v2")
    shutil.rmtree(os.path.join(repo, ".dvc/cache"))
    run("dvc pull -f")
    run("dvc status --json")
    for version in ("v1", "v2"):
        git("checkout", "-q", version)
        run("dvc pull -f")
    versions = {"dvc": dvc.__version__}
    with open(os.path.join(out, "expected.json"), "w") as file:
        json.dump({"versions": versions, "snapshots": snapshots, "commands": commands}, file)
    shutil.rmtree(work)
    print(f"dvc folder of seed {seed}: {len(commands)} commands, {sum(len(s['files']) for s in snapshots)} files")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
