from appworld.collections.apis import ApiCollection
from appworld.common.datetime import VanillaDateTime as DateTime
from appworld.common.datetime import pendulum
from appworld.requester import Requester


def solution(apis: ApiCollection, requester: Requester) -> None:
    passwords = {
        it["account_name"]: it["password"] for it in apis.supervisor.show_account_passwords()
    }
    token = apis.spotify.login(
        username=apis.supervisor.show_profile()["email"], password=passwords["spotify"]
    )["access_token"]
    shelf = [
        album
        for page_index in range(0, 10)
        for album in apis.spotify.list_shelf(page_index=page_index, access_token=token)
    ]
    recent = next(
        it for it in shelf if pendulum.parse(it["made_at"]) >= DateTime.now().start_of("day")
    )
    tagged = []
    for album in shelf:
        if album["album_id"] == recent["album_id"]:
            continue
        if apis.spotify.show_album(album_id=album["album_id"])["loved"]:
            apis.spotify.tag_album(album_id=album["album_id"], tag="loved", access_token=token)
            tagged.append(album["title"])
    apis.supervisor.complete_task(status="success", answer=", ".join(tagged))
