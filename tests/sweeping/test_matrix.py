"""What a matrix describes, and what is refused before anything is run: the file, and the entry in it."""

import pytest

from harness import UsageError
from harness.cli.commands import harness as command
from harness.cli.group import OF_A_NETWORK
from harness.cli.terminal import NOT_ASKED
from harness.inputs import asked
from harness.sweeping.job import OPTIONS
from harness.sweeping.matrix import read_matrix


@pytest.fixture
def jobs_of(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def jobs(text, most=1000):
        (tmp_path / "m.toml").write_text(text)
        return read_matrix("m.toml", most)

    return jobs


def test_a_list_is_a_run_for_each_value_seeds_last(jobs_of):
    jobs = jobs_of('seed = { from = 7, count = 2 }\ndtype = ["float64", "float32"]\nsteps = 3\nagainst = "torch, jax"')
    assert [job.command for job in jobs] == [
        "harness run --against 'torch, jax' --steps 3 --dtype float64 --seed 7",
        "harness run --against 'torch, jax' --steps 3 --dtype float64 --seed 8",
        "harness run --against 'torch, jax' --steps 3 --seed 7",
        "harness run --against 'torch, jax' --steps 3 --seed 8",
    ]
    assert jobs[0].against == ["torch", "jax"]


def test_every_matrix_is_a_product_of_its_own_and_the_same_run_is_run_once(jobs_of):
    jobs = jobs_of(
        'steps = 2\nseed = [0, 1, 0]\n[[matrix]]\nnetwork = ["4-3-1", "4-2-1"]\n'
        '[[matrix]]\nnetwork = "4-2-1"\nlr = 0.1\nsteps = 4\n[[matrix]]\nnetwork = "4-2-1"\nseed = 1\n'
    )
    assert [job.settings for job in jobs] == [
        {"network": "4-3-1", "steps": 2},
        {"network": "4-3-1", "steps": 2, "seed": 1},
        {"network": "4-2-1", "steps": 2},
        {"network": "4-2-1", "steps": 2, "seed": 1},
        {"network": "4-2-1", "steps": 4, "lr": 0.1},
        {"network": "4-2-1", "steps": 4, "lr": 0.1, "seed": 1},
    ]


def test_a_name_says_what_a_run_is_and_changes_with_it_alone(jobs_of, tmp_path):
    (tmp_path / "d.csv").write_text("1,2\n3,4\n5,6\n")
    text = 'network = "1-1"\ndata = "d.csv"\n'
    (one,) = jobs_of(text)
    assert one.name.startswith("1-1-float32-gradient-descent-seed-0-d.csv-")
    assert jobs_of(f'{text}seed = 0\ndtype = "float32"\n')[0].name == one.name  # defaults that are said
    assert jobs_of(f'{text}dtype = "float64"\n')[0].name != one.name
    assert jobs_of(f"{text}raw = true\n")[0].command == "harness run 1-1 --data d.csv --raw"
    (tmp_path / "d.csv").write_text("1,2\n3,4\n5,7\n")
    assert jobs_of(text)[0].name != one.name


def test_a_matrix_takes_what_the_command_takes():
    words = {str(parameter.name) for parameter in command.commands["run"].params} - NOT_ASKED
    assert {("model" if key == "network" else key.replace("-", "_")) for key in OPTIONS} == words
    for parameter in command.commands["run"].params:
        name = "network" if parameter.name == "model" else str(parameter.name).replace("_", "-")
        if name in OPTIONS:
            default = parameter.default if isinstance(parameter.default, str | int) else None
            assert (OPTIONS[name].default or None) == (default or None), name
    assert set(asked.OF_A_NETWORK) == set(OF_A_NETWORK)


WRONG = {
    "empty": ("", "because it describes no run: it is empty; give network, against, data"),
    "no matrix": ("matrix = []", "because it describes no run: it is empty"),
    "an empty list": ("seed = []", "because it describes no run: seed is an empty list"),
    "no TOML": ("seed = ", "because it is not TOML"),
    "an unknown key": ("optimiser = 'adam'", "at optimiser: cannot use the option of a run 'optimiser'"),
    "a key within": ("[[matrix]]\nlearning = 1", "at matrix[0].learning: cannot use the option of a run 'learning'"),
    "a matrix that is no table": ("matrix = [1]", "at matrix, because its value is none that can stand there"),
    "another type": ("steps = '3'", "at steps, because its value is none that can stand there: expected int, got str"),
    "another type in a list": ("lr = [0.1, true]", "at lr[1], because its value is none that can stand there"),
    "a count of seeds": ("seed = { count = 0 }", "at seed, because its value is none that can stand there"),
    "a key of seeds": ("seed = { count = 2, to = 3 }", "at seed, because its value is none that can stand there"),
    "check": ("check = 'fully'", "at check, because its value is none that can stand there: invalid enum value"),
    "a network": ("network = ['4-3-1', '4-x']", "at network[1]: cannot read the model '4-x'"),
    "a file of a network": ("network = 'none.toml'", "at network: cannot read none.toml"),
    "an optimizer": (
        "[[matrix]]\noptimizer = ['adam', 'adma']",
        "at matrix[0].optimizer[1]: cannot use the optimizer ",
    ),
    "a rate twice": ("optimizer = 'adam(lr=0.1)'\nlr = 0.2", "at optimizer, lr: cannot use the optimizer"),
    "a dtype": ("dtype = ['float32', 'tf32']", "at dtype[1]: cannot use dtype='tf32'"),
    "an implementation": ("against = ['hand', 'trch']", "at against[1]: cannot compare with 'trch'"),
    "nobody": ("against = ','", "at against: cannot compare with nobody"),
    "a seed": ("seed = [0, -1]", "at seed[1]: cannot use seed=-1"),
    "a batch": ("batch = 0", "at batch: cannot use batch=0"),
    "steps and epochs": ("steps = 1\nepochs = 1", "at steps, epochs: cannot use steps and epochs together"),
    "data": ("data = ['iris', 'irsi']", "at data[1]: cannot "),
    "a network and its data": ("network = '5-1'\ndata = 'iris'", "at network, data: cannot "),
    "too many": ("seed = { count = 5000000000000 }", "describes 5,000,000,000,000 runs, more than 1,000; say --up-to "),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_refused_with_its_place(case, jobs_of):
    text, said = WRONG[case]
    with pytest.raises(UsageError) as told:
        jobs_of(text)
    assert str(told.value).startswith(("Cannot read m.toml", "Cannot sweep m.toml"))
    assert said in str(told.value)
    assert "\n" not in str(told.value)
