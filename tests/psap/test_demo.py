"""Seeding: a first start fills the database, later ones leave it to the administrators."""

from pathlib import Path

import pytest
from django.contrib.auth.models import Group

from psap.credentials import read_credentials
from psap.demo import USERS, seed_demo
from psap.models import ADMINISTRATOR, ROLES, Psap, ServiceNumber, Trunk, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def credentials_path(tmp_path: Path) -> Path:
    return tmp_path / "credentials.json"


def _seed(path: Path, **changed: str) -> None:
    values = {"public_uri": "sip:psap@127.0.0.1:5060", "outbound_proxy": "", **changed}
    seed_demo(credentials_path=path, **values)


def test_a_first_start_makes_psap_trunk_numbers_and_users_in_their_roles(credentials_path: Path):
    _seed(credentials_path, outbound_proxy="sip:127.0.0.1:5070;transport=tcp")
    assert Psap.objects.get().public_uri == "sip:psap@127.0.0.1:5060"
    assert Trunk.objects.get().outbound_proxy == "sip:127.0.0.1:5070;transport=tcp"
    assert ServiceNumber.objects.get(number="112").service == "urn:service:sos"
    assert ServiceNumber.objects.get(number="144").service == "urn:service:sos.ambulance"
    for demo in USERS:
        user = User.objects.get(username=demo.username)
        assert [group.name for group in user.groups.all()] == [demo.role]
        assert user.is_staff == (demo.role == ADMINISTRATOR)
        assert not user.is_superuser
        assert user.shown_name == f"{demo.first_name} {demo.last_name}"
        assert user.check_password(read_credentials(credentials_path)[demo.username])


def test_a_second_start_overwrites_nothing(credentials_path: Path):
    _seed(credentials_path)
    before = credentials_path.read_bytes()
    Psap.objects.update(name="PSAP Graz", public_uri="sip:graz@example.org")
    Trunk.objects.all().delete()
    ServiceNumber.objects.filter(number="911").delete()
    User.objects.get(username="calltaker2").delete()
    _seed(credentials_path, public_uri="sip:other@example.org")
    assert Psap.objects.get().public_uri == "sip:graz@example.org"
    assert not Trunk.objects.exists()
    assert not ServiceNumber.objects.filter(number="911").exists()
    assert not User.objects.filter(username="calltaker2").exists()
    assert credentials_path.read_bytes() == before


def test_a_lost_credentials_file_is_made_again_for_the_demo_users_that_still_are(
    credentials_path: Path,
):
    _seed(credentials_path)
    old = read_credentials(credentials_path)
    User.objects.get(username="calltaker2").delete()
    credentials_path.unlink()
    _seed(credentials_path)
    new = read_credentials(credentials_path)
    assert set(new) == {"calltaker", "supervisor", "admin"}
    assert new["admin"] != old["admin"]
    assert User.objects.get(username="admin").check_password(new["admin"])


def test_an_empty_database_gets_the_passwords_of_the_file(credentials_path: Path):
    _seed(credentials_path)
    old = read_credentials(credentials_path)
    Psap.objects.all().delete()
    User.objects.all().delete()
    _seed(credentials_path)
    assert read_credentials(credentials_path) == old
    assert User.objects.get(username="calltaker").check_password(old["calltaker"])


def test_roles_are_groups_and_administrators_get_no_right_to_chats(credentials_path: Path):
    _seed(credentials_path)
    assert set(Group.objects.values_list("name", flat=True)) == set(ROLES)
    admin = User.objects.get(username="admin")
    assert admin.has_perms(["psap.change_psap", "psap.add_user", "psap.view_serviceprocess"])
    assert not admin.has_perm("psap.change_serviceprocess")
    assert {permission.split(".")[0] for permission in admin.get_all_permissions()} == {"psap"}
    assert not User.objects.get(username="supervisor").get_all_permissions()
